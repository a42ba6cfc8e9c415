"""Noise in the shape of a study's data set, for what has to be known before its data are there."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from bnstudy.study import registry
from bnstudy.study.study import Study
from bnstudy.training import streams
from bnstudy.training.datasets.data import Data


def noise(study: Study, train: int, test: int) -> Data:
    """Images of noise with random labels, scaled as the study's are; the same each time.

    Where most of the data set's values are one value, as far as is known, so are theirs: networks may be faster for it.

    Parameters
    ----------
    study : Study
        Whose data set to stand in for; it is not read.
    train, test : int
        How many samples each part has.
    """
    facts = registry.datasets[study.dataset].about
    draws = streams.generator("cost", study.dataset)
    draw = torch.randn if study.input_scaling == "standardize" else torch.rand

    def samples(count: int) -> tuple[torch.Tensor, torch.Tensor]:
        images = draw(count, *facts["shape"], generator=draws)
        if (ink := facts.get("ink", 1.0)) < 1:
            images.masked_fill_(torch.rand(images.shape, generator=draws) > ink, 0.0)
        return images, torch.randint(facts["classes"], (count,), generator=draws)

    return Data(samples(train), None, samples(test), facts["classes"], "")


def in_the_same_batches(study: Study) -> Data:
    """As few samples of noise as fall into batches of all sizes that the study's training data fall into.

    Of the test part there is one sample more than in a batch: what takes one size alone fails on that.
    """
    test = registry.datasets[study.dataset].about["test_size"]
    return noise(study, _fewest(study.n_train, study.batch_size), min(test, max(study.batch_size) + 1))


def _fewest(samples: int, sizes: Sequence[int]) -> int:
    """The fewest samples that make two batches of each size, and leave the same over."""
    together = math.lcm(*sizes)
    return samples - max(0, samples - 2 * max(sizes)) // together * together
