"""Standard error never holds anybody up."""

from __future__ import annotations

import io
import os

from tui_scheduler.console import ROOM, PatientStream


def test_what_is_written_arrives_in_order() -> None:
    target = io.StringIO()
    stream = PatientStream(target)
    for number in range(20):
        stream.write(f"{number}\n")
    stream.drain()
    assert target.getvalue() == "".join(f"{number}\n" for number in range(20))


def test_a_reader_that_stopped_reading_holds_up_nobody_and_is_told_what_it_missed() -> None:
    reading, writing = os.pipe()
    line = "x" * 1023 + "\n"
    stream = PatientStream(os.fdopen(writing, "w"))
    for _ in range(ROOM + 200):  # a pipe takes 64 KiB, the queue a thousand lines: this would block for ever
        stream.write(line)
    got = b""
    with os.fdopen(reading, "rb", buffering=0) as reader:
        while got.count(b"\n") < ROOM // 2:
            got += reader.read(65_536)
        stream.write("the last\n")
        while b"the last\n" not in got:
            got += reader.read(65_536)
    assert b"lines were left out here\n" in got


def test_a_terminal_that_is_gone_ends_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    stream = PatientStream(os.fdopen(writing, "w"))
    stream.write("to nobody\n")
    stream.drain()
    stream.write("still to nobody\n")
