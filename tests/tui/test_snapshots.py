"""Every scene looks as it did when somebody last looked at it; `make screenshots` takes them anew.

The pictures in screenshots/ are some of these, so they cannot be of another program than this one.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.tui.pictures import SCREENSHOTS, SHOWN, digest, made_from, snapshot_of
from tests.tui.scenes import SCENES, Scene


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_scene(scene: Scene, snap_compare: Callable[..., bool]) -> None:
    assert snap_compare(scene.app(), terminal_size=scene.size, run_before=scene.act)


def test_the_pictures_are_those_of_the_scenes_and_no_others() -> None:
    wanted = {f"{scene.name}.{kind}" for scene in SHOWN for kind in ("svg", "png")}
    assert {path.name for path in SCREENSHOTS.iterdir()} == wanted


@pytest.mark.parametrize("scene", SHOWN, ids=lambda scene: scene.name)
def test_a_picture_is_what_the_scene_looks_like(scene: Scene) -> None:
    svg = (SCREENSHOTS / f"{scene.name}.svg").read_text(encoding="utf-8")
    assert svg == snapshot_of(scene).read_text(encoding="utf-8"), "run `make screenshots`"


@pytest.mark.parametrize("scene", SHOWN, ids=lambda scene: scene.name)
def test_a_png_is_made_from_the_svg_beside_it(scene: Scene) -> None:
    svg, png = (SCREENSHOTS / f"{scene.name}.{kind}" for kind in ("svg", "png"))
    assert made_from(png.read_bytes()) == digest(svg.read_text(encoding="utf-8")), "run `make screenshots`"
