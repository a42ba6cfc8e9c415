"""The data sets that come by themselves: ``digits`` with scikit-learn, MNIST and its kin through torchvision."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bnstudy.study.registry import datasets
from bnstudy.training.datasets.data import Raw
from bnstudy.training.datasets.downloads import Idx, Source

MNIST_MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


@datasets.register(
    "digits",
    label="scikit-learn's digits (8×8)",
    train_size=1437,
    test_size=360,
    shape=(1, 8, 8),
    classes=10,
    ink=0.51,
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


def _fetch(kind: str, folder: str, train: bool, **arguments: Any) -> None:
    import torchvision.datasets

    getattr(torchvision.datasets, kind)(folder, train=train, download=True, **arguments)


def _register(
    name: str,
    label: str,
    citation: str,
    about: str,
    kind: str,
    counts: tuple[int, int] = (60_000, 10_000),
    classes: int = 10,
    ink: float = 1.0,
    prefix: str = "",
    parts: tuple[str, str] = ("train", "t10k"),
    label_columns: int = 0,
    first_label: int = 0,
    turned: bool = False,
    md5: Mapping[str, str] | None = None,
    **arguments: Any,
) -> None:
    """Make a data set of 28×28 pixels of one of torchvision's classes, whose name is also its folder's."""
    listed = []
    for part, count in zip(parts, counts, strict=True):
        listed.append(Idx(f"{prefix}{part}-images-idx3-ubyte", (count, 28, 28)))
        listed.append(
            Idx(f"{prefix}{part}-labels-idx2-int", (count, label_columns), 12) if label_columns
            else Idx(f"{prefix}{part}-labels-idx1-ubyte", (count,))
        )  # fmt: skip
    source = Source(name, kind, tuple(listed), partial(_fetch, kind, **arguments), md5 or {})

    def read(folder: Path, quiet: bool) -> Raw:
        arrays = source.read(folder, quiet)
        images = [array.swapaxes(1, 2) if turned else array for array in arrays[::2]]
        labels = [array[:, 0] if label_columns else array for array in arrays[1::2]]
        first, second = (label.astype(np.int64) - first_label for label in labels)
        return Raw(np.ascontiguousarray(images[0][:, None]), first, np.ascontiguousarray(images[1][:, None]), second)

    read.__doc__ = about
    datasets.register(
        name,
        label=label,
        citation=citation,
        train_size=counts[0],
        test_size=counts[1],
        shape=(1, 28, 28),
        classes=classes,
        ink=ink,
        check=source.check,
    )(read)


_register(
    "mnist",
    "MNIST",
    "LeCun et al. 1998",
    "70,000 handwritten digits of 28×28 pixels.",
    "MNIST",
    md5=MNIST_MD5,
    ink=0.19,
)
_register(
    "fashion-mnist", "Fashion-MNIST", "Xiao et al. 2017", "70,000 pictures of clothes, in MNIST's shape.",
    "FashionMNIST", ink=0.5,
)  # fmt: skip
_register(
    "kmnist", "Kuzushiji-MNIST", "Clanuwat et al. 2018",
    "70,000 cursive Japanese characters of ten kinds, in MNIST's shape.", "KMNIST",
)  # fmt: skip
_register(
    "qmnist", "QMNIST", "Yadav & Bottou 2019", "MNIST rebuilt, with all 60,000 test digits.", "QMNIST",
    counts=(60_000, 60_000), ink=0.19, prefix="qmnist-", parts=("train", "test"),
    label_columns=8,  # the class is the first
)  # fmt: skip
for _split, _counts, _classes in (
    ("balanced", (112_800, 18_800), 47),
    ("byclass", (697_932, 116_323), 62),
    ("bymerge", (697_932, 116_323), 47),
    ("letters", (124_800, 20_800), 26),
    ("digits", (240_000, 40_000), 10),
    ("mnist", (60_000, 10_000), 10),
):
    _register(
        f"emnist-{_split}", f"EMNIST {_split}", "Cohen et al. 2017",
        "Handwritten letters and digits in MNIST's shape, turned upright.", "EMNIST", counts=_counts, classes=_classes,
        prefix=f"emnist-{_split}-", parts=("train", "test"), first_label=int(_split == "letters"), turned=True,
        split=_split,
    )  # fmt: skip
