"""The limit of open files is raised as far as it may be."""

from __future__ import annotations

import resource

import pytest

from tui_scheduler.engine.limits import raise_file_limit

INFINITE = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("soft", "hard", "raised_to", "holds"),
    [
        (1_024, 524_288, 524_288, 524_288),
        (1_024, INFINITE, 1_000_000, 1_000_000),
        (1_024, 4_000_000, 1_000_000, 1_000_000),
        (4_096, 4_096, None, 4_096),
        (INFINITE, INFINITE, None, 1_000_000),
        (2_000_000, INFINITE, None, 1_000_000),
    ],
)
def test_the_soft_limit_is_raised_to_the_hard_one_up_to_a_million(
    soft: int, hard: int, raised_to: int | None, holds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    raised: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda which: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda which, limits: raised.append(limits))
    assert raise_file_limit() == holds
    assert raised == ([] if raised_to is None else [(raised_to, hard)])


@pytest.mark.parametrize("refusal", [ValueError, OSError])
def test_a_kernel_that_refuses_leaves_it_as_it_was(refusal: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(which: int, limits: tuple[int, int]) -> None:
        raise refusal

    monkeypatch.setattr(resource, "getrlimit", lambda which: (256, INFINITE))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert raise_file_limit() == 256


def test_the_real_limit_is_told() -> None:
    files = raise_file_limit()
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert files == (1_000_000 if soft == INFINITE else min(soft, 1_000_000))
