"""Noise in the shape of a study's data set, for what has to be known before its data are there."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from bnstudy.study import registry
from bnstudy.study.study import Study
from bnstudy.training import streams
from bnstudy.training.datasets.data import Data


def noise(study: Study, train: int, test: int, validation: int = 0) -> Data:
    """Images of noise with random labels, scaled as the study's are; the same each time.

    Parameters
    ----------
    study : Study
        Whose data set to stand in for; it is not read.
    train, test, validation : int
        How many samples each part has.
    """
    facts = registry.datasets[study.dataset].about
    draws = streams.generator("cost", study.dataset)
    draw = torch.randn if study.input_scaling == "standardize" else torch.rand

    def samples(count: int) -> tuple[torch.Tensor, torch.Tensor]:
        images = draw(count, *facts["shape"], generator=draws)
        return images, torch.randint(facts["classes"], (count,), generator=draws)

    held_out = samples(validation) if validation else None
    return Data(samples(train), held_out, samples(test), facts["classes"], "")


def in_the_same_batches(study: Study, evaluation_batch: int) -> Data:
    """As few samples of noise as fall into batches of all sizes that the study's own data fall into."""
    test = registry.datasets[study.dataset].about["test_size"]
    return noise(
        study,
        _fewest(study.n_train, study.batch_size),
        _fewest(test, [evaluation_batch]),
        _fewest(study.validation_size, [evaluation_batch]),
    )


def _fewest(samples: int, sizes: Sequence[int]) -> int:
    """The fewest samples that make two batches of each size, and leave the same over."""
    together = math.lcm(*sizes)
    return samples - max(0, samples - 2 * max(sizes)) // together * together
