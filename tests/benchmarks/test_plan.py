"""What is run when nothing in particular is asked for, and the small helpers around it."""

from __future__ import annotations

from argparse import Namespace

import pytest

from benchmarks import plan, report
from benchmarks.__main__ import SMOKE_TERMS, chosen, parse
from benchmarks.figures import FIGURES
from benchmarks.limits import requests_a_second
from benchmarks.profile import Place, read_samples, tables
from benchmarks.scenarios import TWICE, Shape, doubled
from benchmarks.scenarios import parse as parse_scenario
from benchmarks.subjects import Terms


def options(*words: str) -> Namespace:
    return parse(words)


def test_the_whole_run_measures_every_figure_of_the_table_with_its_history() -> None:
    runs = plan.whole(Terms(10))
    for figure in FIGURES:
        fitting = [run for run in runs if run.scenario.name == figure.scenario and figure.subject in run.who]
        assert any(run.terms.history >= figure.history and run.terms.db == figure.db for run in fitting), figure.what


@pytest.mark.parametrize("runs", [plan.whole(Terms(10)), plan.smoke(SMOKE_TERMS)])
def test_both_the_whole_and_the_smoke_run_touch_every_shape(runs: list[plan.Run]) -> None:
    assert {run.scenario.shape for run in runs} == set(Shape)
    assert {who for run in runs for who in run.who} <= set(plan.CONTESTANTS)


def test_the_whole_run_is_bounded_and_its_listing_says_how_long() -> None:
    runs = chosen(options())
    minutes = sum(map(plan.seconds_of, runs)) / 60
    assert minutes < 40
    assert f"{minutes:.0f} minutes in all" in plan.listing(runs)
    assert len(plan.listing(runs).splitlines()) == 1 + len(runs) + 2


def test_the_reference_and_the_peers_meet_plain_loads_only() -> None:
    plain, other = chosen(options("--peers", "--scenario", "herd:10", "slow:10"))
    assert plain.who == [report.IN_MEMORY, report.STORED, report.REFERENCE, report.PROGRAM]
    assert other.who == [report.PROGRAM]


def test_two_nodes_meet_one_in_every_round_unless_one_is_wanted_alone() -> None:
    (together,) = chosen(options("--scenario", "nodes:10"))
    (alone,) = chosen(options("--scenario", "nodes:10", "--alone"))
    assert list(together.who)[:2] == [report.PROGRAM, report.TWO_NODES]
    assert alone.who == [report.PROGRAM]


def test_what_wrk_says_is_understood_or_refused() -> None:
    assert requests_a_second("  2 threads\nRequests/sec:  42894.10\nTransfer/sec: 1MB") == 42_894.1
    with pytest.raises(ValueError, match="did not tell"):
        requests_a_second("unable to connect")


def test_a_sample_belongs_to_the_innermost_function_of_ours() -> None:
    raw = [
        "thread (0x7F1): engine;run (trio/_run.py:9);fire (/w/tui_scheduler/engine/firing.py);send (socket.py) 30",
        "thread (0x7F2): Trio thread 3;_work (trio/_threads.py);claim (tui_scheduler/store/claims.py:7) 10",
        "thread (0x7F2): Trio thread 1;_work (trio/_threads.py);claim (tui_scheduler/store/claims.py:9) 20",
        "<module> (runpy.py) 40",
    ]
    samples = list(read_samples(raw))
    assert samples[0] == (Place("engine", "engine/firing", "fire"), 30)
    assert samples[1][0] == samples[2][0] == Place("Trio thread", "store/claims", "claim")
    assert samples[3][0].module == "elsewhere"
    told = tables(samples).splitlines()
    assert told[0].startswith("100 samples")
    assert sum(line.split()[:1] == ["30.0%"] and "store/claims" in line for line in told) == 2


def test_an_overload_is_twice_what_was_carried() -> None:
    assert doubled(9_876.5).name == "overload:20000"
    assert doubled(4_100).count == 8_000
    assert (parse_scenario("overload"), parse_scenario("overload").count) == (TWICE, 12_000)
