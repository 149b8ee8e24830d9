"""Pictures of the screen: the SVG of a scene, and the PNG made from it.

python -m tests.tui.pictures                         screenshots/ from the snapshots, SVG and PNG
python -m tests.tui.pictures --scene log --into /tmp     any scene, to look at
"""

from __future__ import annotations

import argparse
import hashlib
import struct
import sys
import zlib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import resvg_py
from pytest_textual_snapshot import normalize_svg
from textual._doc import take_svg_screenshot

from tests.tui.scenes import SCENES, Scene

SCREENSHOTS = Path(__file__).parents[2] / "screenshots"
SNAPSHOTS = Path(__file__).parent / "__snapshots__" / "test_snapshots"
SHOWN = tuple(scene for scene in SCENES if scene.is_shown)
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MADE_FROM = b"made-from"


def svg_of(scene: Scene) -> str:
    """The scene's screen, played now."""
    drawn = take_svg_screenshot(app=scene.app(), terminal_size=scene.size, run_before=scene.act)
    return str(normalize_svg(drawn))


def snapshot_of(scene: Scene) -> Path:
    """Where the snapshot of a scene is kept."""
    return SNAPSHOTS / f"test_scene[{scene.name}].svg"


def png_of(svg: str) -> bytes:
    """Drawn with the letters of a package, so that it looks the same everywhere; it says what it was made from."""
    fonts = [str(path) for path in files("fontpkg_fira_code").joinpath("files").iterdir() if path.name.endswith("ttf")]
    drawn = bytes(
        resvg_py.svg_to_bytes(
            svg_string=svg,
            font_files=fonts,
            skip_system_fonts=True,
            font_family="Fira Code",
            monospace_family="Fira Code",
        )
    )
    return _with_text(drawn, _MADE_FROM, digest(svg).encode())


def digest(svg: str) -> str:
    return hashlib.sha256(svg.encode()).hexdigest()


def made_from(png: bytes) -> str | None:
    """The digest of the SVG that a PNG was made from; None for a PNG that does not say."""
    for kind, content in _chunks(png):
        if kind == b"tEXt" and content.startswith(_MADE_FROM + b"\0"):
            return content.partition(b"\0")[2].decode()
    return None


def _with_text(png: bytes, name: bytes, text: bytes) -> bytes:
    content = b"tEXt" + name + b"\0" + text
    chunk = struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))
    end = png.rindex(b"IEND") - 4
    return png[:end] + chunk + png[end:]


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    assert png.startswith(_SIGNATURE)
    at = len(_SIGNATURE)
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += 12 + length


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.tui.pictures", description=__doc__)
    parser.add_argument("--scene", help="play those whose name contains this")
    parser.add_argument("--into", type=Path, help="a folder for them")
    options = parser.parse_args()
    if options.scene:
        for scene in SCENES:
            if options.scene in scene.name:
                write(options.into or Path(), scene, svg_of(scene))
        return 0
    wanted = {scene.name for scene in SHOWN}
    SCREENSHOTS.mkdir(exist_ok=True)
    for path in SCREENSHOTS.iterdir():
        if path.stem not in wanted:
            path.unlink()
    for scene in SHOWN:
        write(SCREENSHOTS, scene, snapshot_of(scene).read_text(encoding="utf-8"))
    return 0


def write(folder: Path, scene: Scene, svg: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{scene.name}.svg").write_text(svg, encoding="utf-8")
    (folder / f"{scene.name}.png").write_bytes(png_of(svg))
    print(folder / f"{scene.name}.png")


if __name__ == "__main__":
    sys.exit(main())
