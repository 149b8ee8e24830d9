"""What a server and its workers say to each other, over pipes.

To a worker, on its standard input: its settings as a line of JSON, then a byte whenever it should look at the store at
once; the end of the pipe means that it is to stop in order, also when the server has died. From a worker, on its
standard output: a `Word` a line.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

WAKE: Final = b"w"


class Kind(StrEnum):
    BEGUN = "begun"
    """Its node is registered."""
    STATE = "state"
    """What keeps it from its work now, a sentence each; said regularly, so that silence means something too."""
    ALERT = "alert"
    """A line for the console."""
    DIED = "died"
    """Why it ends now, without having been asked to."""


STATE_EVERY_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Word:
    """One thing said by a worker."""

    kind: Kind
    texts: tuple[str, ...] = ()

    def as_line(self) -> str:
        """It, with the end of the line."""
        return json.dumps([self.kind, *self.texts]) + "\n"


def heard(line: str) -> Word | None:
    """The word in a line; None when there is none."""
    try:
        match json.loads(line):
            case [str(kind), *texts] if all(isinstance(text, str) for text in texts):
                return Word(Kind(kind), tuple(texts))
    except ValueError:
        pass
    return None
