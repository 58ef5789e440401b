"""QR codes (ISO/IEC 18004) of links, for the terminal and for pages."""

import io
from collections.abc import Iterable
from dataclasses import dataclass

import segno

QUIET = 4
"""Modules of light around a code, as the standard asks."""


@dataclass(frozen=True, slots=True)
class QrDrawing:
    """A code for a page: `path` is SVG path data of strokes one module thick, on a square of `size` modules."""

    size: int
    path: str


def drawn(link: str) -> QrDrawing:
    """The code as strokes, one for each run of dark modules in a row."""
    code = segno.make_qr(link)
    rows = list(code.matrix_iter(border=QUIET))
    return QrDrawing(len(rows), "".join(_strokes(row, y) for y, row in enumerate(rows)))


def in_terminal(link: str) -> str:
    """The code in block characters, for the camera of a phone before a terminal."""
    text = io.StringIO()
    segno.make_qr(link).terminal(out=text, compact=True, border=2)
    return text.getvalue()


def _strokes(row: Iterable[int], y: int) -> str:
    runs = "".join("#" if dark else " " for dark in row).split(" ")
    found, x = list[str](), 0
    for run in runs:
        if run:
            found.append(f"M{x} {y}.5h{len(run)}")
        x += len(run) + 1
    return "".join(found)
