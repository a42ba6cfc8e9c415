"""Data sets, read once into tensors.

A data set is one function ``(folder, quiet) -> Raw``; its metadata tell its size without reading it. Those of
torchvision are downloaded on first use into the data folder; ``digits`` comes with scikit-learn.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import io
import os
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import platformdirs

from bnstudy import files
from bnstudy.errors import InputError
from bnstudy.registry import datasets

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from bnstudy.study import Study

MNIST_MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}
CHECKSUMS = "SHA256SUMS"
ARCHIVES = (".gz", ".zip")
DOWNLOAD_TIMEOUT = 30.0  # seconds without an answer


@dataclass(frozen=True)
class Raw:
    """A data set as stored: images uint8 (n, channels, height, width), labels int64 (n,), the largest pixel value."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    largest: float = 255.0


@dataclass(frozen=True)
class Data:
    """A study's data: scaled images float32 (n, channels, height, width) and labels int64 (n,)."""

    train: tuple[Tensor, Tensor]
    validation: tuple[Tensor, Tensor] | None
    test: tuple[Tensor, Tensor]
    classes: int
    digest: str  # SHA-256 of the raw arrays

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


def data_folder(chosen: str | Path | None = None) -> Path:
    """Where data sets lie: `chosen`, else ``BNSTUDY_DATA_DIR``, else the user's cache folder."""
    named = chosen or os.environ.get("BNSTUDY_DATA_DIR")
    return Path(named) if named else Path(platformdirs.user_cache_dir("bnstudy")) / "data"


def load(study: Study, folder: str | Path | None = None, quiet: bool = True) -> Data:
    """Read the study's data set, split it and scale it.

    ``standardize`` subtracts the mean pixel of the samples trained on and divides by their standard deviation (one
    number each); ``unit`` divides by the largest pixel value. A subset (`train_size`) and a validation split are drawn
    once for all runs, by a stream of their own.

    Raises
    ------
    InputError
        The data are missing and cannot be fetched, or are damaged; it names the folder.
    """
    check(study.dataset, folder)
    entry, place = datasets[study.dataset], data_folder(folder)
    raw = entry.function(place, quiet)
    _check(study.dataset, raw, entry.about, place)
    import torch

    from bnstudy import streams

    images = _scaled(raw.train_images, raw.largest)
    labels = torch.from_numpy(raw.train_labels)
    test_images = _scaled(raw.test_images, raw.largest)
    n, n_train = len(labels), study.n_train
    # One draw for every run: all of them train on the same samples.
    order = torch.randperm(n, generator=streams.generator("subset", study.dataset, n)) if n_train < n else None
    kept = slice(None) if order is None else order[:n_train]
    if study.input_scaling == "standardize":
        mean, spread = images[kept].mean(dtype=torch.float64).item(), images[kept].double().std(correction=0).item()
        for part in (images, test_images):
            part.sub_(mean).div_(spread)
    held_out = None
    if order is not None and study.validation_size:
        chosen = order[n_train : n_train + study.validation_size]
        held_out = (images[chosen], labels[chosen])
    return Data(
        (images[kept], labels[kept]),
        held_out,
        (test_images, torch.from_numpy(raw.test_labels)),
        entry.about["classes"],
        _digest(raw),
    )


def _scaled(images: np.ndarray, largest: float) -> Tensor:
    """Images from 0 to 1, with the strides of their shape: torch chooses its code by them, a single channel's too."""
    import torch

    return (torch.from_numpy(images).float() / largest).flatten().view(images.shape)


def check(name: str, folder: str | Path | None = None) -> None:
    """InputError if the folder is none, or what it holds of a data set is damaged; quick, and without torch."""
    about, place = datasets[name].about, data_folder(folder)
    with _readable(place):
        if not place.is_dir() and (place.exists() or place.is_symlink()):
            raise InputError(f"{place} is not a folder; name one that holds {name}, or is to hold it", "data_dir")
    if "folder" in about:
        _check_downloaded(place / about["folder"])
        _check_originals(place / about["folder"] / "raw", about.get("md5", {}))
        _check_sizes(place / about["folder"] / "raw", about.get("sizes", {}))


def _digest(raw: Raw) -> str:
    digest = hashlib.sha256()
    for array in (raw.train_images, raw.train_labels, raw.test_images, raw.test_labels):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _check(name: str, raw: Raw, about: Any, folder: Path) -> None:
    """Compare what was read with what the data set is known to be."""
    for part, images, labels in (
        ("train", raw.train_images, raw.train_labels),
        ("test", raw.test_images, raw.test_labels),
    ):
        expected = (about[f"{part}_size"], *about["shape"])
        in_range = len(labels) > 0 and labels.min() >= 0 and labels.max() < about["classes"]
        if images.shape != expected or len(labels) != expected[0] or not in_range:
            raise InputError(
                f"{folder}: the {part} part of {name} is damaged (shape {images.shape}, expected {expected}); "
                "delete its files, so that they are fetched again",
                "data_dir",
            )


@datasets.register(
    "digits",
    label="scikit-learn's digits (8×8)",
    train_size=1437,
    test_size=360,
    shape=(1, 8, 8),
    classes=10,
    citation="Alpaydin & Kaynak 1998, Optical recognition of handwritten digits",
)
def digits(folder: Path, quiet: bool) -> Raw:
    """1,797 real handwritten digits of 8×8 pixels that come with scikit-learn; a fixed stratified split."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    bunch = load_digits()
    images = bunch.images.astype(np.uint8)[:, None]
    parts = train_test_split(
        images, bunch.target.astype(np.int64), test_size=360, stratify=bunch.target, random_state=0
    )
    return Raw(parts[0], parts[2], parts[1], parts[3], largest=16.0)


# ------------------------------------------------------------------ torchvision's


def _read(name: str, make: Callable[..., Any], folder: Path, quiet: bool) -> tuple[Any, Any]:
    """Both parts of a torchvision data set, downloaded if they are not there."""
    try:
        try:
            return make(folder, train=True, download=False), make(folder, train=False, download=False)
        except RuntimeError as error:
            if "not found" not in str(error):
                raise
        _download(name, make, folder, quiet)
        return make(folder, train=True, download=False), make(folder, train=False, download=False)
    except InputError:
        raise
    except Exception as error:  # torchvision's readers raise all sorts at damaged files
        reason = str(error).split("\n")[0] or type(error).__name__
        raise InputError(
            f"{folder}: cannot read {name} ({reason}); delete its files, so that they are fetched again", "data_dir"
        ) from error


def _download(name: str, make: Callable[..., Any], folder: Path, quiet: bool) -> None:
    """Fetch a data set, with torchvision's progress and checksums, and move it into `folder` once it is whole."""
    options = f"give --data-dir (or BNSTUDY_DATA_DIR) a folder that holds {name}, or use --dataset digits"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".download-") as temporary:
            before = socket.getdefaulttimeout()
            socket.setdefaulttimeout(DOWNLOAD_TIMEOUT)
            try:
                with contextlib.redirect_stderr(io.StringIO()) if quiet else contextlib.nullcontext():
                    for train in (True, False):
                        make(temporary, train=train, download=True)
            finally:
                socket.setdefaulttimeout(before)
            for kept in Path(temporary).iterdir():
                _note_checksums(kept)
            for path in Path(temporary).rglob("*"):
                target = folder / path.relative_to(temporary)
                if path.is_dir():
                    target.mkdir(exist_ok=True)
                elif path.suffix not in ARCHIVES:
                    os.replace(path, target)
    except (RuntimeError, ValueError, http.client.HTTPException, OSError, EOFError) as error:
        reason = str(error).strip().split("\n")[-1][:120] or type(error).__name__
        if isinstance(error, http.client.InvalidURL):  # it quotes a proxy's password
            reason = "the address of a proxy is not valid"
        raise InputError(
            f"no {name} in {folder}, and it cannot be downloaded ({reason}); {options}", "data_dir"
        ) from None


def _note_checksums(folder: Path) -> None:
    """Write beside a data set what its files add up to, now that torchvision has checked the archives they are from."""
    found = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix not in ARCHIVES)
    lines = [f"{files.sha256(path)}  {path.relative_to(folder).as_posix()}\n" for path in found]
    (folder / CHECKSUMS).write_text("".join(lines))


def _check_downloaded(folder: Path) -> None:
    """InputError that names a file that is no longer what was downloaded; files from elsewhere have no checksum."""
    if not (folder / CHECKSUMS).is_file():
        return
    with _readable(folder / CHECKSUMS):
        lines = (folder / CHECKSUMS).read_text(errors="replace").splitlines()
    for line in lines:
        digest, _, name = line.partition("  ")
        path = folder / name
        with _readable(path):
            if not name or not path.is_file() or files.sha256(path) != digest:
                raise _damaged(path if name else folder / CHECKSUMS, "download")


def _images(data: Any) -> np.ndarray:
    return np.ascontiguousarray(np.asarray(data)[:, None])


@datasets.register(
    "mnist",
    label="MNIST",
    train_size=60_000,
    test_size=10_000,
    shape=(1, 28, 28),
    classes=10,
    folder="MNIST",
    md5=MNIST_MD5,
    citation="LeCun et al. 1998",
)
def mnist(folder: Path, quiet: bool) -> Raw:
    """70,000 handwritten digits of 28×28 pixels."""
    from torchvision.datasets import MNIST

    parts = _read("mnist", MNIST, folder, quiet)
    _check_originals(folder / "MNIST" / "raw", MNIST_MD5)
    return _as_raw(*parts)


def _check_originals(folder: Path, known: Mapping[str, str]) -> None:
    """InputError that names the first of some files, among those that are there, that is not the original."""
    for name, expected in known.items():
        path = folder / name
        with _readable(path):
            if path.exists() and not (path.is_file() and _md5(path) == expected):
                raise _damaged(path, "original")


def _check_sizes(folder: Path, known: Mapping[str, int]) -> None:
    """InputError that names the first of some files, among those that are there, that has not its bytes."""
    for name, expected in known.items():
        path = folder / name
        with _readable(path):
            if path.exists() and not (path.is_file() and path.stat().st_size == expected):
                raise InputError(
                    f"{path}: not a file of {expected:,} bytes; delete it, so that it is fetched again", "data_dir"
                )


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, partial(hashlib.md5, usedforsecurity=False)).hexdigest()


def _damaged(path: Path, known: str) -> InputError:
    return InputError(
        f"{path}: its checksum is not that of the {known}; delete it, so that it is fetched again", "data_dir"
    )


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {(error.strerror or str(error)).lower()}", "data_dir") from None


def _as_raw(train: Any, test: Any) -> Raw:
    return Raw(
        _images(train.data), np.asarray(train.targets, np.int64), _images(test.data), np.asarray(test.targets, np.int64)
    )


_MNIST_LIKE: dict[str, Any] = {"train_size": 60_000, "test_size": 10_000, "shape": (1, 28, 28), "classes": 10}
_SIZES = {  # in bytes: a header, then a byte a pixel or a label
    "train-images-idx3-ubyte": 16 + 60_000 * 28 * 28,
    "train-labels-idx1-ubyte": 8 + 60_000,
    "t10k-images-idx3-ubyte": 16 + 10_000 * 28 * 28,
    "t10k-labels-idx1-ubyte": 8 + 10_000,
}


@datasets.register(
    "fashion-mnist", label="Fashion-MNIST", citation="Xiao et al. 2017", folder="FashionMNIST", sizes=_SIZES,
    **_MNIST_LIKE
)  # fmt: skip
def fashion_mnist(folder: Path, quiet: bool) -> Raw:
    """70,000 pictures of clothes, in MNIST's shape."""
    from torchvision.datasets import FashionMNIST

    return _as_raw(*_read("fashion-mnist", FashionMNIST, folder, quiet))


@datasets.register(
    "kmnist", label="Kuzushiji-MNIST", citation="Clanuwat et al. 2018", folder="KMNIST", sizes=_SIZES, **_MNIST_LIKE
)
def kmnist(folder: Path, quiet: bool) -> Raw:
    """70,000 cursive Japanese characters of ten kinds, in MNIST's shape."""
    from torchvision.datasets import KMNIST

    return _as_raw(*_read("kmnist", KMNIST, folder, quiet))


@datasets.register(
    "qmnist", label="QMNIST", citation="Yadav & Bottou 2019", folder="QMNIST", **{**_MNIST_LIKE, "test_size": 60_000}
)
def qmnist(folder: Path, quiet: bool) -> Raw:
    """MNIST rebuilt, with all 60,000 test digits."""
    from torchvision.datasets import QMNIST

    train, test = _read("qmnist", QMNIST, folder, quiet)
    return Raw(
        _images(train.data),
        np.asarray(train.targets[:, 0], np.int64),
        _images(test.data),
        np.asarray(test.targets[:, 0], np.int64),
    )


def _register_emnist(split: str, train_size: int, test_size: int, classes: int) -> None:
    @datasets.register(
        f"emnist-{split}",
        label=f"EMNIST {split}",
        citation="Cohen et al. 2017",
        train_size=train_size,
        test_size=test_size,
        shape=(1, 28, 28),
        classes=classes,
        folder="EMNIST",
    )
    def emnist(folder: Path, quiet: bool) -> Raw:
        """Handwritten letters and digits in MNIST's shape, turned upright."""
        from torchvision.datasets import EMNIST

        raw = _as_raw(*_read(f"emnist-{split}", partial(EMNIST, split=split), folder, quiet))
        first = 1 if split == "letters" else 0  # that split counts its letters from 1
        return Raw(
            np.ascontiguousarray(raw.train_images.swapaxes(2, 3)),
            raw.train_labels - first,
            np.ascontiguousarray(raw.test_images.swapaxes(2, 3)),
            raw.test_labels - first,
        )


for _name, _sizes in {
    "balanced": (112_800, 18_800, 47),
    "byclass": (697_932, 116_323, 62),
    "bymerge": (697_932, 116_323, 47),
    "letters": (124_800, 20_800, 26),
    "digits": (240_000, 40_000, 10),
    "mnist": (60_000, 10_000, 10),
}.items():
    _register_emnist(_name, *_sizes)
