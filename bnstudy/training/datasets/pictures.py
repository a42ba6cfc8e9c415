"""Folders of pictures, a folder a class, as arrays that keep the pictures' depth."""

from __future__ import annotations

import functools
import re
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bnstudy.study.errors import InputError, first_line, refusal_of

if TYPE_CHECKING:
    from PIL.Image import Image

DEPTHS = {"I": "whole numbers of 32 bits", "F": "floating point"}  # by Pillow's modes
EIGHT, SIXTEEN = "8 bits", "16 bits"


def classes(folder: Path) -> list[str]:
    """The names of a part's class folders; InputError if there is none, or one holds no picture."""
    names = sorted(path.name for path in _visible(folder) if path.is_dir()) if folder.is_dir() else []
    empty = [name for name in names if not listed(folder / name)[0]]
    if not names or empty:
        raise InputError(f"{folder / empty[0] if empty else folder}: no folder of images for each class")
    return names


def listed(folder: Path) -> tuple[list[Path], list[Path]]:
    """The pictures in a folder, by the endings of their names, and what else is there; hidden files do not count."""
    files = _visible(folder)
    pictures = [path for path in files if path.suffix.lower() in _endings() and path.is_file()]
    return pictures, [path for path in files if path not in set(pictures)]


def read(paths: Sequence[Path], size: tuple[int, int], channels: int) -> tuple[NDArray[np.generic], list[str]]:
    """Pictures as one array (n, channels, height, width), uint8 or float32, and what the user should know of them.

    Raises
    ------
    InputError
        One cannot be read, or has another depth than the first.
    """
    images, depths = [], []
    told: dict[str, list[Path]] = {}
    for path in paths:
        values, depth, remarks = _read(path, size, channels)
        images.append(values)
        depths.append(depth)
        if depth != depths[0]:
            raise InputError(f"{path}: {depth}, where {paths[0]} has {depths[0]}; a data set has one depth")
        for remark in remarks:
            told.setdefault(remark, []).append(path)
    notes = [f"pictures {remark}: {len(where)} (such as {where[0]})" for remark, where in told.items()]
    return np.stack(images), notes


def _visible(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise InputError(f"{folder}: cannot be read: {refusal_of(error)}") from None


@functools.cache
def _endings() -> frozenset[str]:
    from PIL import Image

    Image.init()
    return frozenset(ending for ending, kind in Image.EXTENSION.items() if kind in Image.OPEN)


def _read(path: Path, size: tuple[int, int], channels: int) -> tuple[NDArray[np.generic], str, list[str]]:
    """A picture (channels, height, width), its depth, and remarks."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd metadata
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                remarks = list(_remarks(image))
                depth = _depth(image)
                if depth is None:
                    raise InputError(
                        f"{path}: colours of 16 bits, which would be cut to 8; give the pictures as arrays instead"
                    )
                values = _eight(image, size, channels) if depth == EIGHT else _deep(image, size, channels)
    except InputError:
        raise
    except Exception as error:  # Pillow raises all sorts at damaged files
        raise InputError(f"{path}: cannot be read as an image: {first_line(error)}") from None
    return values, depth, remarks


def _remarks(image: Image) -> Iterator[str]:
    if getattr(image, "is_animated", False):
        yield "with several frames, of which the first is taken"
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        lowest, _ = image.convert("RGBA").getchannel("A").getextrema()
        if lowest < 255:  # type: ignore[operator]
            yield "transparent in part, which is left out"


def _depth(image: Image) -> str | None:
    """How deep a picture's pixels are; None for what Pillow reads as less than it is."""
    if image.mode in DEPTHS:
        return DEPTHS[image.mode]
    if image.mode.startswith("I;16"):
        return SIXTEEN
    cut = any(re.search(r";16[BLN]", str(part)) for tile in getattr(image, "tile", []) for part in tile)
    return None if cut else EIGHT


def _eight(image: Image, size: tuple[int, int], channels: int) -> NDArray[np.uint8]:
    shown = image.convert("L" if channels == 1 else "RGB").resize((size[1], size[0]))
    return np.asarray(shown, np.uint8).reshape(*size, channels).transpose(2, 0, 1)


def _deep(image: Image, size: tuple[int, int], channels: int) -> NDArray[np.float32]:
    from PIL import Image as pillow

    values = np.asarray(image).astype(np.float32)
    if values.shape != size:
        values = np.asarray(pillow.fromarray(values).resize((size[1], size[0])))
    return np.repeat(values[None], channels, 0)
