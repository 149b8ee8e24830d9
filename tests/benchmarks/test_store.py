"""What the store costs by itself can be measured on every database there is here."""

from __future__ import annotations

import pytest

from benchmarks import store
from benchmarks.databases import KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_every_deed_of_a_round_has_its_cost(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert store.main(["--db", kind, "--batch", "5", "--rounds", "2"]) == 0
    shown = capsys.readouterr().out
    assert f"{kind}, 5 a batch" in shown
    for deed in store.DEEDS:
        assert f"\n{deed} " in shown


def test_a_cell_has_the_middle_of_the_rounds_and_the_mean_of_the_server() -> None:
    cost = store.Cost(wall=[9.0, 1.0, 5.0], client=[3.0, 2.0, 1.0], server_s=0.003, units=1_000)
    assert store._cell(cost) == "5.0 (2.0 + 3.0)"
