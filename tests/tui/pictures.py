"""Pictures of the screen: the app's own SVG, and the PNG made from it.

python -m tests.tui.pictures              all of screenshots/, SVG and PNG
python -m tests.tui.pictures --scene log --into /tmp
"""

from __future__ import annotations

import argparse
import hashlib
import re
import struct
import sys
import zlib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import resvg_py
from textual.pilot import Pilot

from tests.tui.pilots import play
from tests.tui.scenes import SCENES, Scene

SCREENSHOTS = Path(__file__).parents[2] / "screenshots"
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MADE_FROM = b"made-from"


def svg_of(scene: Scene) -> str:
    """The scene's screen, the same bytes each time."""
    app = scene.app()
    pictures: list[str] = []

    async def act(pilot: Pilot[int]) -> None:
        await scene.act(pilot)
        pictures.append(app.export_screenshot(title=app.TITLE))

    play(app, act, size=scene.size)
    # Textual numbers the classes of a picture by its content: one number less to differ for no reason.
    return re.sub(r"\bterminal-\d+-", "terminal-", pictures[0])


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
    parser.add_argument("--scene", help="those whose name contains this; else those of the README")
    parser.add_argument("--into", type=Path, default=SCREENSHOTS)
    options = parser.parse_args()
    chosen = [scene for scene in SCENES if (options.scene in scene.name if options.scene else scene.is_shown)]
    options.into.mkdir(exist_ok=True)
    for scene in chosen:
        svg = svg_of(scene)
        (options.into / f"{scene.name}.svg").write_text(svg)
        (options.into / f"{scene.name}.png").write_bytes(png_of(svg))
        print(f"{options.into / scene.name}.svg, .png")
    if options.into == SCREENSHOTS and not options.scene:
        wanted = {scene.name for scene in chosen}
        for path in SCREENSHOTS.iterdir():
            if path.suffix in {".svg", ".png"} and path.stem not in wanted:
                path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
