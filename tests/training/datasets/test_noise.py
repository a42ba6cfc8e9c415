"""Noise in a data set's place falls into the same batches, on the same scale, and costs little."""

from __future__ import annotations

import pytest
import torch
from bnstudy.study.study import Study
from bnstudy.training.datasets.noise import in_the_same_batches
from bnstudy.training.epochs import batches


def sizes(n: int, batch: int) -> set[int]:
    return {part.stop - part.start for part in batches(n, batch)}


@pytest.mark.parametrize(
    ("n", "batch_size", "held_out"),
    [(1437, "128", 0), (129, "128", 201), (257, "128", 0), (9, "9", 100), (1236, "8,12,100", 201), (1201, "8", 1)],
)
def test_the_batches_are_of_the_same_sizes(n, batch_size, held_out):
    asked = {"dataset": "digits", "train_size": n + held_out, "batch_size": batch_size, "validation_size": held_out}
    study = Study.make(asked)
    made = in_the_same_batches(study, 100)
    for batch in study.batch_size:
        assert sizes(len(made.train[1]), batch) == sizes(n, batch)
    assert sizes(len(made.test[1]), 100) == sizes(360, 100)
    assert sizes(len(made.validation[1]) if made.validation else 0, 100) == sizes(held_out, 100)


@pytest.mark.parametrize(("scaling", "lowest"), [("standardize", -2.0), ("unit", 0.0)])
def test_the_scale_is_the_studys(scaling, lowest):
    study = Study.make({"dataset": "mnist", "input_scaling": scaling})
    made, again = (in_the_same_batches(study, 1000) for _ in range(2))
    assert (made.train[0].min() < lowest) == (scaling == "standardize")
    assert made.shape == (1, 28, 28)
    assert len(made.train[1]) < 1000
    assert torch.equal(made.train[0], again.train[0])
