"""What the log shows, without the showing: a bounded list that pages are merged into."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tui_scheduler.control.views import LogPage, LogRow
from tui_scheduler.domain.execution import State

MOST: Final = 10_000
MOST_ASKED_AGAIN: Final = 500
MOST_RULES: Final = 100


@dataclass(slots=True, eq=False)
class Shown:
    """An execution; `row` is replaced when it has changed, the line stays the same. `text` is what a search looks at,
    once somebody has made it.
    """

    row: LogRow
    text: str | None = None


@dataclass(slots=True, eq=False)
class Rule:
    """A line drawn by the user at the instant `at`, below the execution whose (fire_at, key) is `after`."""

    at: int
    after: tuple[int, int]


@dataclass(slots=True, eq=False)
class Gap:
    """So many executions are missing here, or that many `at_least`."""

    number: int
    at_least: bool = False


@dataclass(slots=True, eq=False)
class Older:
    """Above the oldest that is shown: there may be older ones."""


Line = Shown | Rule | Gap | Older


def order(row: LogRow) -> tuple[int, int]:
    """Where an execution stands in the log."""
    return row.fire_at, row.key


def _place(line: Line) -> tuple[int, int]:
    if isinstance(line, Shown):
        return order(line.row)
    return line.after if isinstance(line, Rule) else (0, 0)


class LogModel:
    """Never more than `most` lines, and as many again that wait while `held`, or because nothing above them may go.

    New executions are added at the end, known ones change where they are. While `held` nothing in `lines` changes.
    """

    def __init__(self, most: int = MOST) -> None:
        self.lines: list[Line] = []
        self.held = False
        self.has_older = False
        """Whether there was more than the first page showed, or looked at."""
        self.fresh = 0
        """How many executions came, shown or not, since it was last set to 0."""
        self.states: frozenset[State] = frozenset()
        """What is shown; an execution that leaves them leaves the log. None: any."""
        self._most = most
        self._known: dict[int, Shown] = {}
        self._unfinished: set[int] = set()
        self._waiting: deque[Line] = deque()
        self._changed: dict[int, LogRow] = {}
        self._rules: list[Rule] = []

    @property
    def left_out(self) -> int:
        """How many executions are missing between those that are there."""
        return sum(line.number for line in self.lines if isinstance(line, Gap))

    @property
    def left_out_at_least(self) -> bool:
        """Whether more may be missing than that."""
        return any(isinstance(line, Gap) and line.at_least for line in self.lines)

    @property
    def unfinished(self) -> list[int]:
        """The keys of executions that may still change, the newest first, as many as may be asked for at once."""
        return sorted(self._unfinished, reverse=True)[:MOST_ASKED_AGAIN]

    def index_of(self, line: Line | None) -> int | None:
        """Where a line is now; None when it is gone."""
        try:
            return self.lines.index(line) if line is not None else None
        except ValueError:
            return None

    def nearest(self, row: LogRow) -> int:
        """The last execution that is not after this one; the first line when all are."""
        for index in range(len(self.lines) - 1, -1, -1):
            line = self.lines[index]
            if isinstance(line, Shown) and order(line.row) <= order(row):
                return index
        return 0

    def find(self, key: int) -> Shown | None:
        return self._known.get(key)

    # --- what comes

    def replace(self, page: LogPage) -> None:
        """Only these from now on, and the rules drawn among them."""
        self.lines, self.fresh = [], 0
        self._known.clear()
        self._unfinished.clear()
        self._waiting.clear()
        self._changed.clear()
        self.has_older = page.has_older
        older: list[Line] = [Older()] if page.has_older and page.rows else []
        self._add([*older, *self._incoming(page, page.rows)], may_go=None)
        first = order(page.rows[0]) if page.rows else None
        for rule in self._rules:
            if first is None or rule.after >= first:
                self._insert(rule)

    def merge(self, page: LogPage, *, may_go: int | None = None) -> bool:
        """Take in a page; whether any line is different now. Of the lines at the beginning at most `may_go` (None: any
        number) make room for new ones.
        """
        news = [row for row in page.rows if row.key not in self._known and self._belongs(row)]
        is_different = self._update(row for row in page.rows if row.key in self._known)
        if not news:
            return is_different
        self.fresh += len(news) + page.left_out
        incoming = self._incoming(page, news)
        if self.held or (self._waiting and may_go is not None):
            self._wait(incoming)
            return is_different
        self._add([*self._take_waiting(), *incoming], may_go)
        return True

    def release(self) -> None:
        """What has waited takes its place."""
        self.held = False
        changed, self._changed = self._changed, {}
        self._update(changed.values())
        self._add(self._take_waiting(), may_go=None)

    def forget_before(self, instant: int) -> bool:
        """Let go of the beginning of the log up to an instant; whether there was any."""
        lines = self.lines
        if not lines or not self._is_before(lines[0], instant):
            return False
        end = next((i for i, line in enumerate(lines) if not self._is_before(line, instant)), len(lines))
        if end < len(lines) and all(isinstance(line, Gap | Older) for line in lines[:end]):
            return False  # what is missing there is missing as long as what comes next stays
        self._drop(end)
        return True

    @staticmethod
    def _is_before(line: Line, instant: int) -> bool:
        if isinstance(line, Shown):
            return line.row.fire_at < instant and line.row.state.is_final
        return line.after[0] < instant if isinstance(line, Rule) else True

    # --- rules

    def draw_rule(self, index: int, at: int) -> int:
        """Below a line, or take away the rule that is there; gives where the rule is, or what is in its place."""
        line = self.lines[index] if index < len(self.lines) else None
        if isinstance(line, Rule):
            self._rules.remove(line)
            del self.lines[index]
            return max(index - 1, 0)
        above = next((x for x in reversed(self.lines[: index + 1]) if isinstance(x, Shown)), None)
        rule = Rule(at, order(above.row) if above is not None else (at, 0))
        self._rules = [*self._rules, rule][-MOST_RULES:]
        place = min(index + 1, len(self.lines))
        self.lines.insert(place, rule)
        return place

    def _insert(self, rule: Rule) -> None:
        """Where it was: below what was not after it."""
        below = [index for index, line in enumerate(self.lines) if _place(line) <= rule.after]
        self.lines.insert(below[-1] + 1 if below else 0, rule)

    # --- parts of it

    def _belongs(self, row: LogRow) -> bool:
        return not self.states or row.state in self.states

    def _incoming(self, page: LogPage, rows: Iterable[LogRow]) -> list[Line]:
        incoming: list[Line] = [Gap(page.left_out, page.has_more)] if page.left_out else []
        for row in rows:
            shown = Shown(row)
            self._known[row.key] = shown
            self._keep_in_mind(row)
            incoming.append(shown)
        return incoming

    def _keep_in_mind(self, row: LogRow) -> None:
        if row.state.is_final:
            self._unfinished.discard(row.key)
        else:
            self._unfinished.add(row.key)

    def _update(self, rows: Iterable[LogRow]) -> bool:
        is_different = False
        leaving: set[int] = set()
        for row in rows:
            shown = self._known[row.key]
            if not _is_newer(row, self._changed.get(row.key, shown.row)):
                continue
            self._keep_in_mind(row)
            if self.held:
                self._changed[row.key] = row
                continue
            shown.row, shown.text, is_different = row, None, True
            if not self._belongs(row):
                leaving.add(row.key)
        if leaving:
            self._remove(leaving)
        return is_different

    def _remove(self, keys: set[int]) -> None:
        for key in keys:
            del self._known[key]
            self._unfinished.discard(key)
        self.lines = [line for line in self.lines if not isinstance(line, Shown) or line.row.key not in keys]
        self._waiting = deque(line for line in self._waiting if not isinstance(line, Shown) or line.row.key not in keys)

    def _add(self, incoming: list[Line], may_go: int | None) -> None:
        """Lines at the end; what there is no room for waits."""
        too_many = len(self.lines) + len(incoming) - self._most
        if too_many > 0:
            going = min(too_many, len(self.lines), len(self.lines) if may_go is None else may_go)
            self._drop(going)
            room = self._most - len(self.lines)
            if may_go is None:  # more at once than there is room for: the newest
                self._forget(incoming[: len(incoming) - room])
                incoming = incoming[len(incoming) - room :]
            else:
                self._wait(incoming[room:])
                incoming = incoming[:room]
        for line in incoming:
            last = self.lines[-1] if self.lines else None
            if isinstance(line, Gap) and isinstance(last, Gap):
                last.number += line.number
                last.at_least |= line.at_least
            else:
                self.lines.append(line)

    def _wait(self, incoming: list[Line]) -> None:
        """Of too many the oldest are missing when they take their place."""
        self._waiting.extend(incoming)
        missing, at_least = 0, False
        while len(self._waiting) > self._most:
            gone = self._waiting.popleft()
            missing += gone.number if isinstance(gone, Gap) else 1
            at_least |= isinstance(gone, Gap) and gone.at_least
            self._forget([gone])
        if missing:
            self._waiting.appendleft(Gap(missing, at_least))

    def _take_waiting(self) -> list[Line]:
        waiting = list(self._waiting)
        self._waiting.clear()
        return waiting

    def _drop(self, number: int) -> None:
        self._forget(self.lines[:number])
        del self.lines[:number]

    def _forget(self, lines: Iterable[Line]) -> None:
        for line in lines:
            if isinstance(line, Shown):
                self._known.pop(line.row.key, None)
                self._unfinished.discard(line.row.key)
                self._changed.pop(line.row.key, None)


def _is_newer(row: LogRow, known: LogRow) -> bool:
    """Answers may overtake each other: an older claim, or a state that an ended execution had before, is no news."""
    if row.claim_no < known.claim_no or (known.state.is_final and not row.state.is_final):
        return False
    return row != known
