"""Data sets, read once into tensors.

A data set is one function ``(folder, quiet) -> Raw``; its metadata tell its size without reading it. Those that come by
themselves are registered in :mod:`~bnstudy.training.datasets.builtin`, the user's own by
:mod:`~bnstudy.training.datasets.own_data`.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bnstudy.storage import caches
from bnstudy.study.errors import DataWarning, InputError, told_as
from bnstudy.study.preferences import Found, setting
from bnstudy.study.registry import Entry, datasets
from bnstudy.training.datasets.downloads import readable

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from bnstudy.study.study import Study

Arrays = tuple[np.ndarray, np.ndarray]  # of the training and the test part
FINEST = 256 * 2.0**-23  # of the largest pixel, what all of them span at least: 256 levels of single precision
PIECE = 1024  # samples worked on together in double precision


@dataclass(frozen=True)
class Raw:
    """A data set as stored.

    Attributes
    ----------
    train_images, test_images : array, shape (n, channels, height, width)
        Of uint8, or any other real type.
    train_labels, test_labels : array of int64, shape (n,)
        Counted from 0.
    largest : float
        What all pixels are divided by.
    label_names : tuple
        What the labels stand for, where they were numbered anew.
    notes : tuple of str
        What the user is told when the data are loaded.
    """

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    largest: float = 255.0
    label_names: tuple[int | str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 of all that decides what is trained on."""
        digest = hashlib.sha256()
        for array in (self.train_images, self.train_labels, self.test_images, self.test_labels):
            digest.update(repr((array.dtype.str, array.shape)).encode())
            digest.update(np.ascontiguousarray(array).data)
        digest.update(repr((self.largest, self.label_names)).encode())
        return digest.hexdigest()


@dataclass(frozen=True)
class Data:
    """A study's data: scaled images float32 (n, channels, height, width) and labels int64 (n,)."""

    train: tuple[Tensor, Tensor]
    validation: tuple[Tensor, Tensor] | None
    test: tuple[Tensor, Tensor]
    classes: int
    digest: str  # of what was read, as stored

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of a sample."""
        channels, height, width = self.train[0].shape[1:]
        return channels, height, width

    def to(self, device: torch.device) -> Data:
        """The same data on `device`."""

        def move(pair: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
            return pair[0].to(device), pair[1].to(device)

        held_out = move(self.validation) if self.validation else None
        return Data(move(self.train), held_out, move(self.test), self.classes, self.digest)


def data_folder(chosen: str | Path | None = None) -> Found:
    """Where data sets lie, and who says so: `chosen`, else the user's settings, else the user's cache folder."""
    return setting("data_dir", chosen or None, caches.user_cache() / "data")


def load(study: Study, folder: str | Path | None = None, quiet: bool = True) -> Data:
    """Read the study's data set, split it and scale it.

    ``standardize`` subtracts the mean pixel of the samples trained on and divides by their standard deviation (one
    number each); ``unit`` divides by the largest pixel value. A subset (`train_size`) and a validation split are drawn
    once for all runs, by a stream of their own.

    Raises
    ------
    InputError
        The data are missing and cannot be fetched, are damaged, or all pixels trained on are equal.

    Warns
    -----
    DataWarning
        What was read is usable, but perhaps not what was meant.
    """
    _refuse_other_defaults()
    found = data_folder(folder)
    place = found.value
    with _told_of(found):
        _check_folder(study.dataset, place)
    entry = datasets[study.dataset]
    with _told_of(found), told_as(f"{study.dataset} cannot be loaded", "dataset"):
        raw = entry.function(place, quiet)
        if not isinstance(raw, Raw):
            raise TypeError(f"its function gives a {type(raw).__name__}, not a Raw")
    _check(entry, raw, place)
    for note in raw.notes:
        warnings.warn(f"{study.dataset}: {note}", DataWarning, stacklevel=2)
    import torch

    from bnstudy.training import streams

    n, n_train = len(raw.train_labels), study.n_train
    # One draw for every run: all of them train on the same samples.
    order = torch.randperm(n, generator=streams.generator("subset", study.dataset, n)) if n_train < n else None
    kept = slice(None) if order is None else order[:n_train].numpy()
    images, test_images = _scaled(study, raw, kept)
    labels = torch.from_numpy(raw.train_labels)
    held_out = None
    if order is not None and study.validation_size:
        chosen = order[n_train : n_train + study.validation_size]
        held_out = (canonical(images[chosen]), canonical(labels[chosen]))
    return Data(
        (canonical(images[kept]), canonical(labels[kept])),
        held_out,
        (canonical(test_images), canonical(torch.from_numpy(raw.test_labels))),
        entry.about["classes"],
        raw.digest,
    )


def _refuse_other_defaults() -> None:
    """InputError where a plugin or a script has changed what torch does with all numbers."""
    import torch

    kind, place = torch.get_default_dtype(), torch.empty(0).device
    changed = f"the default dtype {kind}" if kind != torch.float32 else ""
    changed = changed or (f"the default device {place}" if place.type != "cpu" else "")
    changed = changed or ("" if torch.is_grad_enabled() else "no gradients")
    if changed:
        raise InputError(f"a plugin or script has set {changed} in torch, in which nothing trains; leave that as it is")


def canonical(tensor: Tensor) -> Tensor:
    """A copy laid out row by row, the strides of axes of length 1 included.

    Where there is one channel a layout can be read in two ways, and PyTorch's convolutions sum in the order they read.
    """
    import torch

    return tensor.clone(memory_format=torch.contiguous_format)


def check(name: str, folder: str | Path | None = None) -> None:
    """InputError if the folder is none, or what it holds of a data set is damaged; quick, and without torch."""
    found = data_folder(folder)
    with _told_of(found):
        _check_folder(name, found.value)
        if examine := datasets[name].about.get("check"):
            examine(found.value)


@contextmanager
def _told_of(folder: Found) -> Iterator[None]:
    """What is wrong with the folder, told of the place that names it."""
    try:
        yield
    except InputError as error:
        if error.key != folder.key:
            raise
        raise folder.error(error.problem) from error.__cause__


def _check_folder(name: str, place: Path) -> None:
    with readable(place):
        if not place.is_dir() and (place.exists() or place.is_symlink()):
            raise InputError(f"{place} is not a folder; name one that holds {name}, or is to hold it", "data_dir")


def _scaled(study: Study, raw: Raw, kept: slice | np.ndarray) -> tuple[Tensor, Tensor]:
    """Both parts' images as the study wants them; `kept` are the samples trained on."""
    parts = raw.train_images, raw.test_images
    scale = _scaled_bytes if all(part.dtype == np.uint8 for part in parts) else _scaled_numbers
    chosen = raw.train_images[kept]
    if chosen.min() == chosen.max():
        raise InputError(f"all pixels of the {len(chosen)} samples of {study.dataset} trained on are equal", "dataset")
    scaled = scale(parts, kept, raw.largest, study.input_scaling == "standardize")
    trained_on = scaled[0][kept]
    lowest, highest = trained_on.min().item(), trained_on.max().item()
    if not highest - lowest > FINEST * max(abs(lowest), abs(highest)):
        raise InputError(
            f"the pixels of {study.dataset} are too close to each other for single precision"
            + ("; use input_scaling standardize" if study.input_scaling == "unit" else ""),
            "dataset",
        )
    return scaled


def _scaled_bytes(parts: Arrays, kept: slice | np.ndarray, largest: float, standardize: bool) -> tuple[Tensor, Tensor]:
    import torch

    images, test_images = (torch.from_numpy(part).float() / largest for part in parts)
    if standardize:
        mean, spread = images[kept].mean(dtype=torch.float64).item(), images[kept].double().std(correction=0).item()
        for part in (images, test_images):
            part.sub_(mean).div_(spread)
    return images, test_images


def _scaled_numbers(
    parts: Arrays, kept: slice | np.ndarray, largest: float, standardize: bool
) -> tuple[Tensor, Tensor]:
    """Numbers may lie far from 0, where single precision is too coarse until their mean is subtracted."""
    import torch

    mean, spread = moments(parts[0][kept], largest) if standardize else (0.0, 1.0)
    scaled = [
        torch.cat([torch.from_numpy((piece - mean) / (spread or 1.0)).float() for piece in _pieces(part, largest)])
        for part in parts
    ]
    return scaled[0], scaled[1]


def moments(images: np.ndarray, largest: float) -> tuple[float, float]:
    """Mean and standard deviation of all pixels divided by `largest`."""
    mean = sum(piece.sum() for piece in _pieces(images, largest)) / images.size
    return mean, (sum(np.square(piece - mean).sum() for piece in _pieces(images, largest)) / images.size) ** 0.5


def _pieces(images: np.ndarray, largest: float) -> Iterator[np.ndarray]:
    for start in range(0, len(images), PIECE):
        yield images[start : start + PIECE].astype(np.float64) / largest


def _check(entry: Entry, raw: Raw, folder: Path) -> None:
    """Compare what was read with what the data set is known to be."""
    facts = entry.about
    for part, images, labels in (
        ("train", raw.train_images, raw.train_labels),
        ("test", raw.test_images, raw.test_labels),
    ):
        expected = (facts[f"{part}_size"], *facts["shape"])
        if images.shape != expected or labels.shape != expected[:1]:
            actual = f"shape {images.shape} and {len(labels)} labels, expected {expected}"
        elif labels.min() < 0 or labels.max() >= facts["classes"]:
            actual = f"labels {labels.min()} to {labels.max()}, expected 0 to {facts['classes'] - 1}"
        else:
            continue
        if entry.origin:
            raise InputError(f"the {part} part of {entry.name} is not what its registration says ({actual})", "dataset")
        raise InputError(
            f"{folder}: the {part} part of {entry.name} is damaged ({actual}); delete its files, so that they are "
            "fetched again",
            "data_dir",
        )
