"""QR codes of links: what is drawn is read again by a reader of somebody else."""

import cv2
import numpy as np
import pytest

from api.qr_code import QrDrawing, drawn, in_terminal

MODULE = 8
"""Pixels."""


def read(drawing: QrDrawing) -> str:
    """The text of a drawing, stroke by stroke on white paper."""
    paper = np.full((drawing.size * MODULE,) * 2, 255, np.uint8)
    for stroke in drawing.path.split("M")[1:]:
        place, length = stroke.split("h")
        x, y = place.split(" ")
        top, left = int(float(y)) * MODULE, int(x) * MODULE
        paper[top : top + MODULE, left : left + int(length) * MODULE] = 0
    text, _, _ = cv2.QRCodeDetectorAruco().detectAndDecode(paper)
    return text


@pytest.mark.parametrize(
    "link", ["http://127.0.0.1:8420/#a.b", "https://verify.example/identity/#case1.part2." + "x" * 60]
)
def test_a_drawing_is_read_as_its_link(link: str) -> None:
    assert read(drawn(link)) == link


def test_a_terminal_shows_lines_of_one_breadth() -> None:
    lines = in_terminal("https://192.0.2.7:8420/").splitlines()
    assert len({len(line) for line in lines if line}) <= 2
    assert len(lines) > 10
