"""Documents point at what is there."""

from __future__ import annotations

import re

import pytest

from tests.end_to_end.programs import CHECKOUT

DOCUMENTS = [
    "README.md",
    "CHANGELOG.md",
    "docs/architecture.md",
    "docs/performance.md",
    "docs/reliability.md",
    "docs/themes.md",
]
FOLDERS = ("", "tui_scheduler/", "docs/")


def exists(path: str) -> bool:
    return any((CHECKOUT / folder / path).exists() for folder in FOLDERS)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_files_a_document_names_are_there(document: str) -> None:
    text = (CHECKOUT / document).read_text(encoding="utf-8")
    linked = re.findall(r"\]\((?!http)([^)#]+)\)", text)
    named = re.findall(r"`((?:[\w.]+/)*[\w.]+\.(?:py|md|yaml|toml)|(?:[\w.]+/)+)`", text)
    assert [path for path in linked + named if not exists(path)] == []
