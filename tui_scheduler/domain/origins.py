"""Origins as people write them, `https://api.example.com`, and as limits know them, with their port."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from tui_scheduler.domain.errors import Invalid

_PORTS: Final = {"http": 80, "https": 443}
_EXAMPLE: Final = '"https://api.example.com" = 5'


def origin_text(scheme: str, host: str, port: int) -> str:
    """The one form of an origin."""
    return f"{scheme}://{host}:{port}"


@lru_cache(maxsize=4_096)
def origin_of(url: str) -> str:
    """The origin of a URL. Raises `Invalid` for one that has none."""
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme.lower(), parts.hostname, parts.port
    except ValueError:
        raise Invalid("origins", f"{url!r} has a port or an address that is none", example=_EXAMPLE) from None
    if scheme not in _PORTS or not host:
        raise Invalid("origins", f"{url!r} must begin with http:// or https:// and a host", example=_EXAMPLE)
    return origin_text(scheme, host.lower(), port or _PORTS[scheme])


def checked_limits(limits: Mapping[str, int]) -> dict[str, int]:
    """Limits of single origins under their one form. Raises `Invalid` for what is no origin, or no limit."""
    found: dict[str, int] = {}
    for text, number in limits.items():
        if text.partition("://")[2].rstrip("/").count("/"):
            raise Invalid("origins", f"{text!r} has a path; an origin is a scheme, a host and a port", example=_EXAMPLE)
        if type(number) is not int or not 1 <= number <= 100_000:
            raise Invalid("origins", f"{text!r} must allow 1 to 100,000 requests at once", example=_EXAMPLE)
        found[origin_of(text)] = number
    return found
