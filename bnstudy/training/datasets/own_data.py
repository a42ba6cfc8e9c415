"""Data of the user's as data sets: NumPy arrays, ``.npz`` files and folders of images.

Each function registers a name, which ``--dataset`` and study files then know; a module named with ``--plugin`` is the
place to call it. What is surely a mistake is refused, what may be one is told when a study loads the data.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bnstudy.study.errors import InputError, first_line
from bnstudy.study.registry import datasets
from bnstudy.training.datasets import pictures
from bnstudy.training.datasets.arrays import raw_of
from bnstudy.training.datasets.data import Raw

PARTS = ("train_images", "train_labels", "test_images", "test_labels")


def register_arrays(
    name: str,
    train_images: ArrayLike,
    train_labels: ArrayLike,
    test_images: ArrayLike,
    test_labels: ArrayLike,
    label: str | None = None,
) -> None:
    """Make a data set of arrays, which are copied.

    Parameters
    ----------
    name : str
        What ``--dataset`` calls it.
    train_images, test_images : array, shape (n, height, width) or (n, channels, height, width)
        Real finite numbers, in both parts of one kind and range; they are scaled as the study says.
    train_labels, test_labels : array of int, shape (n,)
        Classes: whole numbers from 0, which are numbered anew, in their order, if some are left out.
    label : str, optional
        What figures call it.

    Raises
    ------
    InputError
        The arrays are not fit to be trained on; the message says why.

    Examples
    --------
    >>> import bnstudy, numpy as np
    >>> from bnstudy.plugins import register_arrays
    >>> rng = np.random.default_rng(0)
    >>> labels = np.arange(120) % 3
    >>> images = rng.integers(0, 100, (120, 8, 8)) + 50 * labels[:, None, None]
    >>> register_arrays("shades", images[:90], labels[:90], images[90:], labels[90:])
    >>> bnstudy.Study.make({"dataset": "shades", "models": "mlp", "batch_size": 30}).n_train
    90
    """
    raw = raw_of(name, train_images, train_labels, test_images, test_labels)
    _register(name, label, raw, lambda: raw)


def register_npz(name: str, path: str | Path, label: str | None = None) -> None:
    """Make a data set of an ``.npz`` file with ``train_images``, ``train_labels``, ``test_images``, ``test_labels``.

    The file is read again when a study loads it. See :func:`register_arrays` for what it may hold.

    Parameters
    ----------
    name : str
        What ``--dataset`` calls it.
    path : path
        The file.
    label : str, optional
        What figures call it.

    Raises
    ------
    InputError
        The file cannot be read, lacks an array, or what it holds is not fit to be trained on.

    Examples
    --------
    >>> import numpy as np
    >>> from bnstudy.plugins import datasets, register_npz
    >>> rng = np.random.default_rng(0)
    >>> labels = np.arange(120) % 3
    >>> images = rng.normal(size=(120, 8, 8)) + labels[:, None, None]
    >>> np.savez(
    ...     "mine.npz", train_images=images[:90], train_labels=labels[:90], test_images=images[90:],
    ...     test_labels=labels[90:],
    ... )
    >>> register_npz("mine", "mine.npz")
    >>> datasets["mine"].about["shape"], datasets["mine"].about["classes"]
    ((1, 8, 8), 3)
    """
    place = Path(path).absolute()

    def read() -> Raw:
        return raw_of(name, *_arrays(place))

    _register(name, label, read(), read)


def register_image_folder(
    name: str, folder: str | Path, size: tuple[int, int], channels: int = 3, label: str | None = None
) -> None:
    """Make a data set of images in ``folder/train/CLASS/`` and ``folder/test/CLASS/``, read when a study needs them.

    Parameters
    ----------
    name : str
        What ``--dataset`` calls it.
    folder : path
        Where ``train`` and ``test`` lie; the classes are the names of their folders, in alphabetical order. Every
        format that Pillow reads counts; grey pictures of 16 bits and of floating point keep their depth.
    size : tuple of int
        Height and width that every image is resized to.
    channels : int
        3 for colours, 1 for grey.
    label : str, optional
        What figures call it.

    Raises
    ------
    InputError
        A part is missing or holds no images, or the test part has classes of its own.

    Examples
    --------
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> from bnstudy.plugins import datasets, register_image_folder
    >>> for part in ("train", "test"):
    ...     for kind, colour in (("day", "white"), ("night", "black")):
    ...         folder = Path("pictures", part, kind)
    ...         folder.mkdir(parents=True)
    ...         Image.new("RGB", (16, 16), colour).save(folder / "1.png")
    >>> register_image_folder("skies", "pictures", size=(8, 8))
    >>> datasets["skies"].about["label_names"]
    ('day', 'night')
    """
    if channels not in (1, 3):
        raise InputError(f"{name}: channels must be 3 for colours or 1 for grey, not {channels!r}")
    if not (
        isinstance(size, Sequence) and len(size) == 2 and all(isinstance(n, int | np.integer) and n > 0 for n in size)
    ):
        raise InputError(f"{name}: size must be a height and a width, such as (32, 32), not {size!r}")
    root, shape = Path(folder).absolute(), (int(size[0]), int(size[1]))
    listed, kinds, others = _listed(root)
    needed = 4.0 * channels * math.prod(shape) * sum(map(len, listed))
    if needed > _memory():
        raise InputError(
            f"{name}: {sum(map(len, listed))} pictures of {shape[0]}×{shape[1]} take {needed / 2**30:,.0f} GiB as "
            "numbers, and this machine has less memory; choose a smaller size"
        )

    def read() -> Raw:
        listed, kinds, others = _listed(root)
        paths = [path for part in listed for path, _ in part]
        images, notes = pictures.read(paths, shape, channels)
        numbers = np.array([kinds.index(kind) for part in listed for _, kind in part])
        if others:
            notes.insert(0, f"files in its class folders that are no pictures: {len(others)} (such as {others[0]})")
        n = len(listed[0])
        return raw_of(name, images[:n], numbers[:n], images[n:], numbers[n:], tuple(kinds), tuple(notes))

    note = f"files in its class folders that are no pictures: {len(others)}" if others else ""
    _register_as(
        name, label, read, note, train_size=len(listed[0]), test_size=len(listed[1]), shape=(channels, *shape),
        classes=len(kinds), label_names=tuple(kinds),
    )  # fmt: skip


def _memory() -> float:
    """Bytes of this machine's memory; infinite where it does not say."""
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):
        return math.inf


def _listed(root: Path) -> tuple[list[list[tuple[Path, str]]], list[str], list[Path]]:
    """The pictures of each part with the names of their classes, all classes, and files that are no pictures."""
    kinds = {part: pictures.classes(root / part) for part in ("train", "test")}
    if stray := [kind for kind in kinds["test"] if kind not in kinds["train"]]:
        raise InputError(
            f"{root}: train and test differ in their classes, the names of their folders: only test has {stray[0]!r}"
        )
    listed: list[list[tuple[Path, str]]] = []
    others: list[Path] = []
    for part, names in kinds.items():
        by_class = [(pictures.listed(root / part / kind), kind) for kind in names]
        listed.append([(path, kind) for (paths, _), kind in by_class for path in paths])
        others += [path for (_, rest), _ in by_class for path in rest]
    return listed, kinds["train"], others


# ------------------------------------------------------------------ registration


def _register(name: str, label: str | None, raw: Raw, read: Callable[[], Raw]) -> None:
    """Register what was read once, to be read again by `read`."""
    _register_as(name, label, read, "; ".join(raw.notes), digest=raw.digest, **_facts(raw))


def _register_as(name: str, label: str | None, read: Callable[[], Raw], note: str, **about: Any) -> None:
    def dataset(folder: Path, quiet: bool) -> Raw:
        raw = read()
        for fact, now in _facts(raw).items():
            if now != about[fact]:
                raise InputError(
                    f"{name} is no longer what was registered (its {fact.replace('_', ' ')} was {about[fact]} and is "
                    f"{now}); run again, so that it is registered as it is now", "dataset"
                )  # fmt: skip
        return raw

    dataset.__doc__ = f"Data of the user's{f': {note}' if note else ''}{'' if note.endswith('?') else '.'}"
    datasets.register(name, label=label or name, note=note, **about)(dataset)


def _facts(raw: Raw) -> dict[str, Any]:
    return {
        "train_size": len(raw.train_labels),
        "test_size": len(raw.test_labels),
        "shape": raw.train_images.shape[1:],
        "classes": len(raw.label_names),
        "label_names": raw.label_names,
    }


def _arrays(path: Path) -> list[Any]:
    try:
        if not path.is_file():
            raise InputError(f"{path}: cannot be read as .npz: there is no such file")
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            missing = [part for part in PARTS if part not in file]
            if missing:
                raise InputError(f"{path}: holds no {missing[0]}; it needs {', '.join(PARTS)}")
            return [file[part] for part in PARTS]
    except InputError:
        raise
    except Exception as error:  # damaged archives raise all sorts
        raise InputError(f"{path}: cannot be read as .npz: {first_line(error)}") from None
