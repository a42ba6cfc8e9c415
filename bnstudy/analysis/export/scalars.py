"""One run as TensorBoard takes it: its folder's name, its tags, its event file."""

from __future__ import annotations

import importlib
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bnstudy.study.factors import FACTORS

EVENTS = "events.out.tfevents."
NAMED = tuple(factor.name for factor in FACTORS if factor.dtype == "str")  # their labels say what they are


def safe_name(text: str) -> str:
    """A label as the name of a file or folder: letters, digits and a few signs; never hidden, never a path."""
    return re.sub(r"[^\w.=:-]", "-", text)[:80].lstrip(".") or "study"


def folder_name(dim: str, label: Any) -> str:
    """A level as the name of a folder: ``batch``, ``lr-0.1``, ``seed-3``."""
    return safe_name(("" if dim in NAMED else f"{dim.replace('_', '-')}-") + str(label))


def tag(name: str) -> str:
    """``test_accuracy`` as ``accuracy/test``, so that what is compared shares a section."""
    part, _, what = name.partition("_")
    return f"{what}/{part}" if part in ("train", "test", "validation") else name


def write_scalars(
    folder: Path,
    epochs: Sequence[int],
    scalars: Mapping[str, np.ndarray],
    created: float,
    seconds: float = 1.0,
    ending: str = "",
) -> None:
    """One event file of scalars over epochs, of so many seconds each; what is not a number has no event."""
    writer_module = importlib.import_module("tensorboard.summary.writer.event_file_writer")
    folder.mkdir(parents=True)
    writer = writer_module.EventFileWriter(str(folder), filename_suffix=ending)
    for name, values in scalars.items():
        for epoch, value in zip(epochs, values.tolist(), strict=True):
            if math.isfinite(value):
                writer.add_event(_event(name, epoch, value, created + seconds * epoch))
    writer.close()


def add_scalars(folder: Path, epoch: int, scalars: Mapping[str, float], now: float) -> None:
    """One more epoch in the event file of a folder, whose reader goes on where it was."""
    writer_module = importlib.import_module("tensorboard.summary.writer.record_writer")
    (path,) = folder.glob(f"{EVENTS}*")
    with path.open("ab") as file:
        writer = writer_module.RecordWriter(file)
        for name, value in scalars.items():
            if math.isfinite(value):
                writer.write(_event(name, epoch, value, now).SerializeToString())


def _event(name: str, epoch: int, value: float, when: float) -> Any:
    event_pb2 = importlib.import_module("tensorboard.compat.proto.event_pb2")
    summary_pb2 = importlib.import_module("tensorboard.compat.proto.summary_pb2")
    summary = summary_pb2.Summary(value=[summary_pb2.Summary.Value(tag=name, simple_value=value)])
    return event_pb2.Event(wall_time=when, step=epoch, summary=summary)
