"""Arrays of the user's: which are fit to be trained on, and what is told of those that may not be what was meant."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnstudy.study.errors import InputError, first_line
from bnstudy.training.datasets.data import Raw, moments

FULL = 255.0
DARKEST = 25  # 8-bit pictures get brighter than that; what does not are masks, counts or pictures of fewer bits
MOST_APART = 20.0  # times that one part's pixels may reach further than the other's
MOST_SHIFTED, MOST_STRETCHED = 1.0, 2.0  # beyond which the parts' means and deviations are told
LOOKED_AT = 2000  # samples of a part that are compared, at most
MOST_LISTED = 5
LEAKED = 0.01  # of the test images, beyond which those that are training images are told


def raw_of(
    name: str,
    train_images: Any,
    train_labels: Any,
    test_images: Any,
    test_labels: Any,
    kinds: tuple[str, ...] = (),
    notes: tuple[str, ...] = (),
) -> Raw:
    """A data set of arrays; `kinds` are the names of its labels, where these are numbers of ours already."""
    train, test = _pixels(name, "train_images", train_images), _pixels(name, "test_images", test_images)
    if train.shape[1:] != test.shape[1:]:
        raise InputError(f"{name}: train and test images differ in shape: {train.shape[1:]} and {test.shape[1:]}")
    _check_ranges(name, train, test)
    numbers = (
        _labels(name, "train_labels", train_labels, len(train)),
        _labels(name, "test_labels", test_labels, len(test)),
    )
    known = _known(name, *numbers)
    labels = [np.searchsorted(known, part).astype(np.int64) for part in numbers]
    told = [*notes, *_notes(known, numbers[1], kinds), *_differences(train, test), *_leaks(train, test)]
    names = kinds or tuple(known.tolist())
    return Raw(train, labels[0], test, labels[1], _largest(train, test), names, tuple(told))


def _pixels(name: str, what: str, images: Any) -> NDArray[np.generic]:
    """A copy of images, (n, channels, height, width), in this machine's order of bytes."""
    found = _array(name, what, images)
    if found.dtype.kind not in "buif":
        raise InputError(f"{name}: {what} must hold real numbers, not {found.dtype}")
    if found.ndim == 4 and _has_channels_last(*found.shape[1:]):
        raise InputError(
            f"{name}: {what} of shape {found.shape} has its channels last; give {what}.transpose(0, 3, 1, 2)"
        )
    shaped = found[:, None] if found.ndim == 3 else found
    if shaped.ndim != 4 or 0 in shaped.shape:
        raise InputError(
            f"{name}: {what} must be (n, height, width) or (n, channels, height, width), not {found.shape}"
        )
    wide = shaped.dtype.kind == "f" and shaped.dtype.itemsize > 8
    with np.errstate(over="ignore"):  # told below
        copied = np.array(shaped, np.float64 if wide else shaped.dtype.newbyteorder("="), order="C")
    if not np.isfinite(copied).all():
        raise InputError(f"{name}: {what} holds numbers that are not finite")
    return copied


def _array(name: str, what: str, values: Any) -> NDArray[Any]:
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        raise InputError(f"{name}: {what} is masked in part; fill in what is missing, or leave those samples out")
    try:
        if hasattr(values, "detach"):  # a tensor of torch's, which NumPy takes neither from a GPU nor with a gradient
            values = values.detach().cpu()
            values = values.float() if str(values.dtype) == "torch.bfloat16" else values
        return np.asarray(values)
    except Exception as error:  # whatever an object says when it is asked for its numbers
        raise InputError(f"{name}: {what} is no array: {first_line(error)}") from None


def _has_channels_last(first: int, second: int, last: int) -> bool:
    return (last in (3, 4) and first > 4) or (last == 1 and first == second > 1)


def _labels(name: str, what: str, labels: Any, count: int) -> NDArray[np.int64]:
    found = _array(name, what, labels)
    wanted = f"{name}: {what} must be {count} whole numbers from 0, one an image"
    if found.ndim == 2 and len(found) == count:
        advice = f"{what}.ravel()" if found.shape[1] == 1 else f"{what}.argmax(1), if it has a column a class"
        raise InputError(f"{wanted}, not of shape {found.shape}; give {advice}")
    if found.shape != (count,):
        raise InputError(f"{wanted}, not of shape {found.shape}")
    if found.dtype.kind in "bf":
        raise InputError(f"{wanted}, not {found.dtype}; give {what}.astype(int), if they are classes")
    if found.dtype.kind not in "iu":
        raise InputError(f"{wanted}, not {found.dtype}; number them, as np.unique does with return_inverse=True")
    lowest, highest = int(found.min()), int(found.max())
    if lowest < 0 or highest > np.iinfo(np.int64).max:
        raise InputError(f"{wanted}, not {lowest if lowest < 0 else highest}")
    return found.astype(np.int64)


def _known(name: str, train: NDArray[np.int64], test: NDArray[np.int64]) -> NDArray[np.int64]:
    """The classes, in order; InputError if they cannot be learnt."""
    known = np.unique(train)
    if len(known) < 2:
        raise InputError(f"{name}: train_labels hold one class alone, {known[0]}; there is nothing to tell apart")
    if len(stray := np.setdiff1d(test, known)):
        raise InputError(f"{name}: test_labels hold {_some(stray)}, which no training sample has; nothing can learn it")
    return known


def _check_ranges(name: str, train: NDArray[np.generic], test: NDArray[np.generic]) -> None:
    """InputError if the parts cannot be on one scale, or hold nothing."""
    if (train.dtype.kind == "f") != (test.dtype.kind == "f"):
        raise InputError(
            f"{name}: train_images are {train.dtype} and test_images {test.dtype}; give both in one type and range"
        )
    if train.min() == train.max():
        raise InputError(f"{name}: all pixels of train_images are equal")
    reaches = _reach(train), _reach(test)
    if max(reaches) > MOST_APART * min(reaches):
        raise InputError(
            f"{name}: train_images reach {reaches[0]:.6g} and test_images {reaches[1]:.6g}; give both in one range"
        )


def _reach(images: NDArray[Any]) -> float:
    return max(abs(float(images.min())), abs(float(images.max())))


def _largest(train: NDArray[Any], test: NDArray[Any]) -> float:
    """What pixels are divided by, the same for both parts."""
    is_8_bit = train.dtype == test.dtype == np.uint8 and train.max() > DARKEST
    return FULL if is_8_bit else _reach(train)


def _notes(known: NDArray[np.int64], test: NDArray[np.int64], kinds: tuple[str, ...]) -> list[str]:
    """What the user should know of the labels."""
    notes = []
    if not np.array_equal(known, np.arange(len(known))):
        notes.append(f"labels {_some(known)} are numbered 0 to {len(known) - 1}")
    if len(missing := np.setdiff1d(known, test)):
        named = ", ".join(kinds[i] for i in missing[:MOST_LISTED]) if kinds else _some(missing)
        notes.append(f"classes that the test part lacks: {named} ({len(missing)} of {len(known)})")
    return notes


def _some(labels: NDArray[np.int64]) -> str:
    if len(labels) <= MOST_LISTED:
        return ", ".join(map(str, labels))
    return f"{', '.join(map(str, labels[: MOST_LISTED - 1]))}, … {labels[-1]}"


def _leaks(train: NDArray[np.generic], test: NDArray[np.generic]) -> list[str]:
    """How many test images are training images, to the last bit; a few, and what is of one colour, may be chance."""
    kind = np.result_type(train, test)
    known = {_digest(image, kind) for image in train}
    found = sum(_digest(image, kind) in known for image in test if image.min() < image.max())
    told = f"{found:,} of {len(test):,} test images are in the training part too: they say nothing of what was learned"
    return [told] if found > LEAKED * len(test) else []


def _digest(image: NDArray[np.generic], kind: np.dtype[Any]) -> bytes:
    return hashlib.blake2b(image.astype(kind, copy=False).tobytes(), digest_size=16).digest()


def _differences(train: NDArray[np.generic], test: NDArray[np.generic]) -> list[str]:
    """What is suspicious between the parts; a shift may be meant."""
    unit = _reach(train)
    (mean, spread), (other, its) = (moments(part[:: -(-len(part) // LOOKED_AT)], unit) for part in (train, test))
    if abs(other - mean) <= MOST_SHIFTED * spread and spread / MOST_STRETCHED <= its <= spread * MOST_STRETCHED:
        return []
    return [
        f"test images differ from training images (mean {other * unit:.3g} and {mean * unit:.3g}, deviation "
        f"{its * unit:.3g} and {spread * unit:.3g}); are both scaled alike?"
    ]
