"""Origins as people write them, and the one form in which limits know them."""

from __future__ import annotations

import pytest

from tui_scheduler.domain.errors import Invalid
from tui_scheduler.domain.origins import checked_limits, origin_of


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://localhost", "http://localhost:80"),
        ("https://API.example.com/hook?a=b", "https://api.example.com:443"),
        ("HTTP://127.0.0.1:8080/", "http://127.0.0.1:8080"),
        ("http://[::1]:81/", "http://::1:81"),
    ],
)
def test_an_origin_is_scheme_host_and_port(url: str, origin: str) -> None:
    assert origin_of(url) == origin


def test_limits_go_by_the_one_form() -> None:
    assert checked_limits({"https://a.example": 3, "http://b:81/": 1}) == {"https://a.example:443": 3, "http://b:81": 1}


@pytest.mark.parametrize(
    "limits",
    [{"example.com": 1}, {"http://": 1}, {"http://a:x": 1}, {"http://a/b": 1}, {"http://a": 0}, {"http://a": 1.5}],
)
def test_what_is_no_origin_or_no_limit_is_refused(limits: dict[str, int]) -> None:
    with pytest.raises(Invalid, match="origins"):
        checked_limits(limits)
