"""Evidence on disk, so that a trial that went wrong can be judged again: `python -m tests.crash --audit FOLDER`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.crash.evidence import Action, Arrival, Cadence, Command, Evidence, Freeze, NodeRow, Outage, Record, Story


def save(evidence: Evidence, folder: Path) -> None:
    """One file of JSON lines for each kind."""
    _write(folder / "stories.jsonl", evidence.stories)
    _write(folder / "arrivals.jsonl", evidence.arrivals)
    _write(folder / "records.jsonl", evidence.records)
    _write(folder / "outages.jsonl", evidence.outages)
    _write(folder / "freezes.jsonl", evidence.freezes)
    _write(folder / "nodes.jsonl", evidence.nodes)
    (folder / "horizon").write_text(str(evidence.horizon))
    (folder / "timeout").write_text(str(evidence.timeout))


def load(folder: Path) -> Evidence:
    """What `save` wrote."""
    return Evidence(
        stories=tuple(map(_story, _read(folder / "stories.jsonl"))),
        arrivals=tuple(Arrival(**one) for one in _read(folder / "arrivals.jsonl")),
        records=tuple(Record(**one) for one in _read(folder / "records.jsonl")),
        outages=tuple(Outage(**one) for one in _read(folder / "outages.jsonl")),
        horizon=int((folder / "horizon").read_text()),
        freezes=tuple(Freeze(**one) for one in _read(folder / "freezes.jsonl")),
        nodes=tuple(NodeRow(**one) for one in _read(folder / "nodes.jsonl")),
        timeout=int((folder / "timeout").read_text()),
    )


def _story(one: dict[str, Any]) -> Story:
    commands = tuple(map(_command, one.pop("commands")))
    return Story(**one | {"cadence": Cadence(**one["cadence"]), "commands": commands})


def _command(one: dict[str, Any]) -> Command:
    cadence = None if one["cadence"] is None else Cadence(**one["cadence"])
    return Command(**one | {"action": Action(one["action"]), "cadence": cadence})


def _write(path: Path, values: Iterable[Story | Arrival | Record | Outage | Freeze | NodeRow]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(asdict(value)) + "\n" for value in values)


def _read(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)
