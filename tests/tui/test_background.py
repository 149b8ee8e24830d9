"""What the screen does by itself keeps out of the way of what is due at a full second."""

from __future__ import annotations

import pytest

from tests.tui.fake import SECOND
from tui_scheduler.tui.background import HERD, clear_of_herd


@pytest.mark.parametrize(
    ("at", "seconds", "waits"),
    [
        (0, 0, 0.15),
        (HERD - 1_000, 0, 0.001),
        (HERD, 0, 0),
        (SECOND - 1, 0, 0),
        (SECOND - 100_000, 0.25, 0.25),
        (SECOND - 200_000, 0.25, 0.35),
        (0, 1, 1.15),
        (HERD, 1, 1),
    ],
)
def test_a_wait_ends_when_what_is_due_has_been_sent(at: int, seconds: float, waits: float) -> None:
    whole = 1_795_449_600 * SECOND
    assert clear_of_herd(whole + at, seconds) == pytest.approx(waits)
