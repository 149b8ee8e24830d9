"""How a response reads: what was kept of it, put in order where it is JSON, harmless whatever it is. Pure."""

from __future__ import annotations

import json
import re
from typing import Final

from tui_scheduler.tui.formatting import count, inert

KEPT_OF_SUCCESS: Final = 1_024
KEPT_OF_FAILURE: Final = 4_096
"""The most bytes of a body that the engine keeps in the history; a test holds them to its own."""

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_INDENT: Final = "  "


def body_text(excerpt: str) -> str:
    """The kept part of a body, in lines."""
    return inert(indented_json(excerpt) or excerpt.replace("\r\n", "\n"), lines=True)


def indented_json(text: str) -> str | None:
    """An object or a list with a line for each member, None for anything else. Each word of it stays as it was
    written: reading and writing it anew would change numbers and lose what is there twice.
    """
    try:
        if not isinstance(json.loads(text), dict | list):
            return None
    except (ValueError, RecursionError):
        return None
    pieces: list[str] = []
    depth, before = 0, ""
    for found in _TOKEN.finditer(text):
        word = found.group()
        if word in {"}", "]"}:
            depth -= 1
            pieces.append("" if before in {"{", "["} else "\n" + _INDENT * depth)
        elif before in {"{", "[", ","}:
            pieces.append("\n" + _INDENT * depth)
        pieces.append(": " if word == ":" else word)
        depth += word in {"{", "["}
        before = word
    return "".join(pieces)


def kept_note(excerpt: str | None, headers: tuple[tuple[str, str], ...], *, succeeded: bool) -> str:
    """How much of the body there is, if not all of it; "" when nothing is missing."""
    if not excerpt:
        return "no body was kept"
    # What was no text became one longer character for each byte.
    size = len(re.sub("[\N{REPLACEMENT CHARACTER}\N{SYMBOL FOR NULL}]", "?", excerpt).encode(errors="replace"))
    told = next((value for name, value in headers if name.lower() == "content-length"), "")
    if told.isascii() and told.isdigit() and len(told) < 19:
        return f"cut: the first {count(size)} of {int(told):,} bytes" if int(told) > size + 3 else ""
    limit = KEPT_OF_SUCCESS if succeeded else KEPT_OF_FAILURE
    return f"cut after {limit:,} bytes, no more is kept" if size >= limit - 3 else ""
