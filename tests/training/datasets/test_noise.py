"""Noise in a data set's place falls into the same batches, on the same scale, and costs little."""

from __future__ import annotations

import pytest
import torch
from bnstudy.study.registry import datasets
from bnstudy.study.study import Study
from bnstudy.training.datasets import data
from bnstudy.training.datasets.noise import in_the_same_batches
from bnstudy.training.epochs import batches


def sizes(n: int, batch: int) -> set[int]:
    return {part.stop - part.start for part in batches(n, batch)}


@pytest.mark.parametrize(
    ("n", "batch_size"), [(1437, "128"), (129, "128"), (257, "128"), (9, "9"), (1236, "8,12,100"), (1201, "8")]
)
def test_the_batches_are_of_the_same_sizes(n, batch_size):
    study = Study.make({"dataset": "digits", "train_size": n, "batch_size": batch_size})
    made = in_the_same_batches(study)
    for batch in study.batch_size:
        assert sizes(len(made.train[1]), batch) == sizes(n, batch)
    assert len(made.test[1]) == max(study.batch_size) + 1


@pytest.mark.parametrize(("scaling", "lowest"), [("standardize", -2.0), ("unit", 0.0)])
def test_the_scale_is_the_studys(scaling, lowest):
    study = Study.make({"dataset": "mnist", "input_scaling": scaling})
    made, again = (in_the_same_batches(study) for _ in range(2))
    assert (made.train[0].min() < lowest) == (scaling == "standardize")
    assert made.shape == (1, 28, 28)
    assert len(made.train[1]) < 1000
    assert torch.equal(made.train[0], again.train[0])


@pytest.mark.parametrize(("dataset", "ink"), [("mnist", 0.19), ("fashion-mnist", 0.5), ("kmnist", 1.0)])
def test_most_of_it_is_one_value_where_most_of_the_data_are(dataset, ink):
    made = in_the_same_batches(Study.make({"dataset": dataset}))
    assert float((made.train[0] != 0).float().mean()) == pytest.approx(ink, abs=0.02)


def test_the_digits_have_the_ink_that_is_written_down():
    images = data.load(Study.make({"dataset": "digits"})).train[0]
    counts = images.unique(return_counts=True)[1]
    assert 1 - int(counts.max()) / images.numel() == pytest.approx(datasets["digits"].about["ink"], abs=0.01)
