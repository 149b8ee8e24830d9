from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from tui_scheduler.domain.errors import IllegalTransition
from tui_scheduler.domain.execution import FINAL, LEGAL, MAX_RESCUES, Execution, State

Move = Callable[[Execution], Execution]

MOVES: dict[str, tuple[Move, State, set[State]]] = {
    "claim": (Execution.claim, State.CLAIMED, {State.PENDING, State.RETRYING}),
    "start": (Execution.start, State.RUNNING, {State.CLAIMED}),
    "succeed": (Execution.succeed, State.SUCCEEDED, {State.CLAIMED, State.RUNNING}),
    "fail": (Execution.fail, State.FAILED, {State.CLAIMED, State.RUNNING}),
    "retry": (Execution.retry, State.RETRYING, {State.CLAIMED, State.RUNNING}),
    "cancel": (
        Execution.cancel,
        State.CANCELLED,
        {State.PENDING, State.CLAIMED, State.RUNNING, State.RETRYING},
    ),
    "skip": (Execution.skip, State.SKIPPED, {State.PENDING, State.CLAIMED}),
    "give back": (Execution.give_back, State.PENDING, {State.CLAIMED, State.RUNNING}),
    "rescue": (
        lambda execution: execution.rescue(may_send_again=True),
        State.PENDING,
        {State.CLAIMED, State.RUNNING},
    ),
}
CASES = [(name, state) for name in MOVES for state in State]


def execution(state: State = State.PENDING, *, attempt: int = 0, claim_no: int = 0, rescues: int = 0) -> Execution:
    return Execution(1, 2, 10, 10, state=state, attempt=attempt, claim_no=claim_no, rescues=rescues)


@pytest.mark.parametrize(("name", "state"), CASES)
def test_a_legal_move_leads_where_it_says_and_any_other_raises(name: str, state: State) -> None:
    move, target, sources = MOVES[name]
    if state in sources:
        assert move(execution(state)).state is target
    else:
        with pytest.raises(IllegalTransition, match=f"from {state} to {target}"):
            move(execution(state))


def test_the_moves_and_the_table_say_the_same() -> None:
    by_moves = {(source, target) for _, target, sources in MOVES.values() for source in sources}
    lost = {(State.CLAIMED, State.LOST), (State.RUNNING, State.LOST)}
    assert by_moves | lost == {(source, target) for source, targets in LEGAL.items() for target in targets}


def test_final_states_lead_nowhere() -> None:
    assert {state for state, targets in LEGAL.items() if not targets} == FINAL
    assert set(LEGAL) == set(State)
    assert {state for state in State if state.is_final} == FINAL


def test_a_claim_counts_the_attempt_and_raises_the_fencing_number() -> None:
    claimed = execution(State.RETRYING, attempt=2, claim_no=5).claim()
    assert (claimed.attempt, claimed.claim_no) == (3, 6)


def test_what_is_given_back_unsent_was_no_attempt() -> None:
    returned = execution().claim().give_back()
    assert (returned.attempt, returned.claim_no) == (0, 1)


def test_a_rescue_costs_no_retry() -> None:
    rescued = execution().claim().rescue(may_send_again=True)
    assert (rescued.state, rescued.attempt, rescued.rescues) == (State.PENDING, 0, 1)


@pytest.mark.parametrize(
    ("state", "may_send_again", "outcome"),
    [
        (State.CLAIMED, True, State.PENDING),
        (State.RUNNING, True, State.PENDING),
        (State.CLAIMED, False, State.PENDING),  # claimed is committed as running before the first byte leaves
        (State.RUNNING, False, State.LOST),
    ],
)
def test_at_most_once_work_that_may_have_been_sent_is_lost(state: State, may_send_again: bool, outcome: State) -> None:
    assert execution(state, attempt=1).rescue(may_send_again=may_send_again).state is outcome


@pytest.mark.parametrize("rescues", range(MAX_RESCUES + 2))
def test_work_that_outlived_too_many_nodes_is_lost(rescues: int) -> None:
    found = execution(State.CLAIMED, attempt=1, rescues=rescues).rescue(may_send_again=True)
    assert (found.state is State.LOST) == (rescues >= MAX_RESCUES)


class Lives(RuleBasedStateMachine):
    """Any history of legal moves: fencing numbers only rise, and an attempt is never counted below zero."""

    def __init__(self) -> None:
        super().__init__()
        self.now = execution()

    def _become(self, following: Execution) -> None:
        assert following.state in LEGAL[self.now.state]
        assert following.claim_no >= self.now.claim_no
        assert following.attempt >= 0
        assert following.rescues <= MAX_RESCUES
        self.now = following

    @precondition(lambda self: self.now.state in MOVES["claim"][2])
    @rule()
    def claim(self) -> None:
        self._become(self.now.claim())

    @precondition(lambda self: self.now.state is State.CLAIMED)
    @rule()
    def start(self) -> None:
        self._become(self.now.start())

    @precondition(lambda self: self.now.state in MOVES["retry"][2])
    @rule()
    def retry(self) -> None:
        self._become(self.now.retry())

    @precondition(lambda self: self.now.state in MOVES["rescue"][2])
    @rule()
    def rescue(self) -> None:
        self._become(self.now.rescue(may_send_again=True))

    @precondition(lambda self: self.now.state in MOVES["give back"][2])
    @rule()
    def give_back(self) -> None:
        self._become(self.now.give_back())

    @rule()
    def look(self) -> None:
        assert self.now.state.is_final == (not LEGAL[self.now.state])


TestLives = Lives.TestCase
