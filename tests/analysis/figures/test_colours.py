"""Colours of the arms: they stand out from light and dark pages, and are told apart by any eye, and in grey."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from bnstudy.analysis.figures import style
from bnstudy.analysis.figures.multiverse import LOOKS
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

# Machado, Oliveira & Fernandes 2009, severity 1, on linear RGB.
EYES = {
    "usual": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
# What the page does to pictures on a dark page: CSS's invert(0.914) hue-rotate(180deg).
TURN = np.array([[-0.574, 1.430, 0.144], [0.426, 0.430, 0.144], [0.426, 1.430, -0.856]])
PAPER = {"light": (1.0, 1.0, 1.0), "dark": (0x16 / 255,) * 3}
TO_XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
                   [0.0193339, 0.1191920, 0.9503041]])  # fmt: skip
WHITE = TO_XYZ.sum(1)


def shown(colour: str, page: str) -> np.ndarray:
    values = np.array(to_rgb(colour))
    return values if page == "light" else np.clip(TURN @ (0.914 - 0.828 * values), 0, 1)


def linear(values: np.ndarray) -> np.ndarray:
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def lab(light: np.ndarray) -> np.ndarray:
    x, y, z = np.cbrt(np.maximum(TO_XYZ @ light / WHITE, 0.008856))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def contrast(one, other) -> float:
    bright, dark = sorted((style.luminance(one), style.luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("page", PAPER)
def test_every_arm_stands_out_from_the_page(page):
    assert min(contrast(shown(colour, page), PAPER[page]) for colour in style.COLOURS) >= 3


@pytest.mark.parametrize("page", PAPER)
@pytest.mark.parametrize("eye", EYES)
def test_every_eye_tells_all_arms_apart(eye, page):
    seen = [lab(np.clip(np.array(EYES[eye]) @ linear(shown(colour, page)), 0, 1)) for colour in style.COLOURS]
    assert min(np.linalg.norm(one - other) for one, other in combinations(seen, 2)) > 15  # 2 can just be seen


@pytest.mark.parametrize("page", PAPER)
def test_arms_are_told_apart_in_grey(page):
    greys = [lab(np.full(3, style.luminance(shown(colour, page))))[0] for colour in style.COLOURS]
    assert min(abs(one - other) for one, other in combinations(greys[:3], 2)) > 7
    looks = [(str(style.arm_style(i)["linestyle"]), style.arm_style(i)["marker"]) for i in range(len(greys))]
    assert len({line for line, _ in looks}) == len({marker for _, marker in looks}) == len(looks)


def test_words_are_told_apart_in_grey():
    """By how bright they are, or by their hatch."""
    for (colour, hatch), (other, another) in combinations(LOOKS.values(), 2):
        brightness = [lab(np.full(3, style.luminance(to_rgb(one))))[0] for one in (colour, other)]
        assert hatch != another or abs(brightness[0] - brightness[1]) > 15


@pytest.mark.parametrize("colours", ["cividis", "RdBu"])
def test_what_is_written_in_a_map_can_be_read(colours):
    image = Figure().add_subplot().imshow([[0.0, 1.0]], cmap=colours)
    for value in np.linspace(0, 1, 50):
        cell = image.to_rgba(np.array([value]))[0][:3]
        assert contrast(to_rgb(style.ink_on(image, value)), cell) >= 4.5
