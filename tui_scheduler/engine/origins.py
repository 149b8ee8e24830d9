"""How many requests this node has under way to one origin at once. What is above that waits here, unsent.

It stays armed meanwhile: an edit, a pause or a stop still reaches it, and its timeout has not begun. At-most-once work
takes its place before it is marked as being sent, so what waits is never marked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count

from tui_scheduler.domain.errors import Invalid
from tui_scheduler.domain.origins import origin_of, origin_text
from tui_scheduler.engine.hand import Held, Phase


@dataclass(slots=True)
class _Place:
    """One origin. `reserved` may go next and have not been sent yet, by the `id` of each."""

    limit: int
    under_way: int = 0
    reserved: dict[int, Held] = field(default_factory=dict)
    waiting: list[tuple[int, int, int, Held]] = field(default_factory=list)

    @property
    def has_room(self) -> bool:
        return self.under_way + len(self.reserved) < self.limit

    @property
    def is_unused(self) -> bool:
        return not (self.under_way or self.reserved or self.waiting)


class OriginLimits:
    """`default` holds for every origin that `single` does not name (see `domain.origins`); None: no limit."""

    def __init__(self, default: int | None, single: Mapping[str, int]) -> None:
        self._default = default
        self._single = single
        self._places: dict[str, _Place] = {}
        self._order = count()

    @property
    def limits_nothing(self) -> bool:
        return self._default is None and not self._single

    def may_send(self, held: Held) -> bool:
        """Whether to send it now; it counts as under way from here on. Otherwise it waits for its turn."""
        place = self._place(held)
        if place is None:
            return True
        if not self._reserve(place, held):
            return False
        del place.reserved[id(held)]
        place.under_way += 1
        return True

    def reserve(self, held: Held) -> bool:
        """Take a place for what is to be sent soon; otherwise it waits for its turn."""
        place = self._place(held)
        return place is None or self._reserve(place, held)

    def ended(self, held: Held) -> None:
        """What was sent is no longer under way."""
        place = self._place(held)
        if place is not None:
            place.under_way -= 1

    def next_ones(self) -> Iterator[Held]:
        """Those whose turn has come, each with a place: by priority, then by instant."""
        for name, place in list(self._places.items()):
            place.reserved = {key: held for key, held in place.reserved.items() if held.phase is Phase.ARMED}
            while place.waiting and place.has_room:
                held = heappop(place.waiting)[-1]
                if held.phase is Phase.ARMED:
                    place.reserved[id(held)] = held
                    yield held
            if place.is_unused:
                del self._places[name]

    def _reserve(self, place: _Place, held: Held) -> bool:
        if id(held) in place.reserved:
            return True
        if place.has_room and not place.waiting:
            place.reserved[id(held)] = held
            return True
        heappush(place.waiting, (held.entry.job.spec.priority, held.due, next(self._order), held))
        return False

    def _place(self, held: Held) -> _Place | None:
        name = _name_of(held)
        if name is None:
            return None
        place = self._places.get(name)
        if place is None:
            limit = self._single.get(name, self._default)
            if limit is None:
                return None
            place = self._places[name] = _Place(limit)
        return place


def _name_of(held: Held) -> str | None:
    """Of what follows redirects the first origin; None for what cannot be sent at all."""
    origin = held.shot.origin
    if origin is not None:
        return origin_text(origin.scheme, origin.host, origin.port)
    try:
        return origin_of(held.shot.request.url)
    except Invalid:
        return None
