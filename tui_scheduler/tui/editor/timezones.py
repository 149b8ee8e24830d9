"""The names of timezones, offered while one is typed."""

from __future__ import annotations

import asyncio
from functools import cache
from zoneinfo import available_timezones

from textual.suggester import Suggester


class TimezoneSuggester(Suggester):
    """The first name, shortest first, that begins with what was typed, in whatever case."""

    def __init__(self) -> None:
        super().__init__(use_cache=True, case_sensitive=False)

    async def get_suggestion(self, value: str) -> str | None:
        # Reading the names takes some 100 ms the first time.
        names = await asyncio.to_thread(_names)
        return next((name for name in names if name.casefold().startswith(value)), None)


@cache
def _names() -> tuple[str, ...]:
    return tuple(sorted(available_timezones() - {"localtime", "posixrules", "Factory"}, key=lambda n: (len(n), n)))
