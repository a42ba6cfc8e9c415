"""Data of the user's as data sets: NumPy arrays, ``.npz`` files and folders of images.

Each function registers a name, which ``--dataset`` and study files then know; a module named with ``--plugin`` is the
place to call it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bnstudy.data import Raw
from bnstudy.errors import InputError
from bnstudy.registry import datasets

PARTS = ("train_images", "train_labels", "test_images", "test_labels")


def register_arrays(
    name: str,
    train_images: ArrayLike,
    train_labels: ArrayLike,
    test_images: ArrayLike,
    test_labels: ArrayLike,
    label: str | None = None,
) -> None:
    """Make a data set of arrays.

    Parameters
    ----------
    name : str
        What ``--dataset`` calls it.
    train_images, test_images : array, shape (n, height, width) or (n, channels, height, width)
        Whole numbers from 0 to 255, or any finite numbers; they are scaled as the study says.
    train_labels, test_labels : array of int, shape (n,)
        Classes, counted from 0.
    label : str, optional
        What figures call it.

    Raises
    ------
    InputError
        Shapes do not fit each other, or labels are no classes.
    """
    raw = _raw(name, train_images, train_labels, test_images, test_labels)
    classes = int(max(raw.train_labels.max(), raw.test_labels.max())) + 1
    _register(
        name, label, (len(raw.train_labels), len(raw.test_labels)), raw.train_images.shape[1:], classes, lambda: raw
    )


def register_npz(name: str, path: str | Path, label: str | None = None) -> None:
    """Make a data set of an ``.npz`` file with ``train_images``, ``train_labels``, ``test_images``, ``test_labels``."""
    try:
        with np.load(path, allow_pickle=False) as file:
            missing = [part for part in PARTS if part not in file]
            if missing:
                raise InputError(f"{path}: holds no {missing[0]}; it needs {', '.join(PARTS)}")
            arrays = [file[part] for part in PARTS]
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as .npz: {str(error).splitlines()[0]}") from None
    train_images, train_labels, test_images, test_labels = arrays
    register_arrays(name, train_images, train_labels, test_images, test_labels, label)


def register_image_folder(
    name: str, folder: str | Path, size: tuple[int, int], channels: int = 3, label: str | None = None
) -> None:
    """Make a data set of images in ``folder/train/CLASS/`` and ``folder/test/CLASS/``, read when a study needs them.

    Parameters
    ----------
    name : str
        What ``--dataset`` calls it.
    folder : path
        Where ``train`` and ``test`` lie; the classes are the names of their folders, in alphabetical order.
    size : tuple of int
        Height and width that every image is resized to.
    channels : int
        3 for colours, 1 for grey.
    label : str, optional
        What figures call it.

    Raises
    ------
    InputError
        A part is missing or holds no images, or the parts differ in their classes.
    """
    root = Path(folder)
    kinds = {part: _classes(root / part) for part in ("train", "test")}
    if kinds["train"] != kinds["test"]:
        raise InputError(f"{root}: train and test differ in their classes, the names of their folders")

    def read() -> Raw:
        arrays = [array for part in ("train", "test") for array in _images(root / part, kinds[part], size, channels)]
        return _raw(name, *arrays)

    counts = tuple(sum(len(_files(root / part / kind)) for kind in kinds[part]) for part in ("train", "test"))
    _register(name, label, (counts[0], counts[1]), (channels, *size), len(kinds["train"]), read)


def _register(
    name: str,
    label: str | None,
    counts: tuple[int, int],
    shape: tuple[int, ...],
    classes: int,
    read: Callable[[], Raw],
) -> None:
    @datasets.register(
        name, label=label or name, train_size=counts[0], test_size=counts[1], shape=tuple(shape), classes=classes
    )
    def dataset(folder: Path, quiet: bool) -> Raw:
        """Data of the user's."""
        return read()


def _raw(
    name: str, train_images: ArrayLike, train_labels: ArrayLike, test_images: ArrayLike, test_labels: ArrayLike
) -> Raw:
    train, test = _pictures(name, "train_images", train_images), _pictures(name, "test_images", test_images)
    if train.shape[1:] != test.shape[1:]:
        raise InputError(f"{name}: train and test images differ in shape: {train.shape[1:]} and {test.shape[1:]}")
    labels = [
        _labels(name, "train_labels", train_labels, len(train)),
        _labels(name, "test_labels", test_labels, len(test)),
    ]
    largest = 255.0 if train.dtype == np.uint8 else float(np.abs(train).max()) or 1.0
    return Raw(train, labels[0], test, labels[1], largest)


def _pictures(name: str, what: str, images: ArrayLike) -> NDArray[np.float32] | NDArray[np.uint8]:
    found = np.asarray(images)
    found = found[:, None] if found.ndim == 3 else found
    if found.ndim != 4 or 0 in found.shape:
        raise InputError(
            f"{name}: {what} must be (n, height, width) or (n, channels, height, width), not {found.shape}"
        )
    if found.dtype != np.uint8:
        found = found.astype(np.float32)
        if not np.isfinite(found).all():
            raise InputError(f"{name}: {what} holds numbers that are not finite")
    return np.ascontiguousarray(found)


def _labels(name: str, what: str, labels: ArrayLike, count: int) -> NDArray[np.int64]:
    found = np.asarray(labels)
    if found.shape != (count,) or not np.issubdtype(found.dtype, np.integer) or found.min() < 0:
        raise InputError(f"{name}: {what} must be {count} whole numbers from 0, one an image")
    return found.astype(np.int64)


def _classes(folder: Path) -> list[str]:
    found = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    if not found or not all(_files(folder / kind) for kind in found):
        raise InputError(f"{folder}: no folder of images for each class")
    return found


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in (".png", ".jpg", ".jpeg", ".bmp"))


def _images(
    folder: Path, kinds: list[str], size: tuple[int, int], channels: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    from PIL import Image

    pictures, labels = [], []
    for number, kind in enumerate(kinds):
        for path in _files(folder / kind):
            try:
                with Image.open(path) as image:
                    shown = image.convert("L" if channels == 1 else "RGB").resize((size[1], size[0]))
            except OSError as error:
                raise InputError(f"{path}: cannot be read as an image: {error}") from None
            pictures.append(np.asarray(shown, np.uint8).reshape(*size, channels).transpose(2, 0, 1))
            labels.append(number)
    return np.stack(pictures), np.array(labels, np.int64)
