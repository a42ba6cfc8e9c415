"""What is trained in the benchmarks, and the pictures it is trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from bnstudy.study import provenance, registry
from bnstudy.study.study import Study
from bnstudy.training import epochs
from bnstudy.training.datasets.data import Data
from bnstudy.training.networks import initialization, models
from torch import nn

registry.load_plugin("own_networks")  # in every process that trains a row


def processor() -> str:
    """This machine, by which results are kept apart: processors of one name may differ in their instructions."""
    return f"{provenance.machine()}, {provenance.instructions()}"


@dataclass(frozen=True)
class Pictures:
    """Noise of a data set's shape with its background, which is all of a data set that speed depends on.

    A pixel is ink with probability min(1, peak exp(-r^2 / 2 width^2)), r pixels from the middle: with the data set's
    own mean, and as much ink that two pictures share (MNIST: 151 of 784 pixels, 70 of them; Fashion-MNIST: 389, 259).
    Without a width all is ink.
    """

    shape: tuple[int, int, int] = (1, 28, 28)
    peak: float = 0.95
    width: float = 5.06
    background: float = -0.4241  # an empty pixel, standardized

    def drawn(self, share: float) -> Data:
        """That share of 60,000 and 10,000."""
        draw = torch.Generator().manual_seed(0)

        def pair(n: int) -> epochs.Pair:
            noise = torch.randn(n, *self.shape, generator=draw)
            if self.width:
                ys, xs = (torch.arange(size) - (size - 1) / 2 for size in self.shape[1:])
                ink = self.peak * torch.exp(-(ys[:, None] ** 2 + xs**2) / (2 * self.width**2))
                noise[torch.rand(n, *self.shape, generator=draw) > ink] = self.background
            return noise, torch.randint(10, (n,), generator=draw)

        return Data(pair(int(60_000 * share)), None, pair(int(10_000 * share)), 10, "noise")


MNIST = Pictures()
FASHION = Pictures(peak=1.2, width=7.82, background=-0.8102)
CIFAR = Pictures((3, 32, 32), width=0)
DIGITS = Pictures((1, 8, 8), width=0)


@dataclass(frozen=True)
class Row:
    """A network, and what it is trained on."""

    title: str
    model: str
    norm: str = "none"
    pictures: Pictures = MNIST
    batch: int = 100
    channels: tuple[int, ...] = (4, 8)

    def study(self, **settings: Any) -> Study:
        own = {"models": self.model, "norms": self.norm, "batch_size": self.batch, "channels": self.channels}
        return Study.make({**own, **settings})

    def network(self, level: str = "default", seed: int = 0) -> nn.Module:
        net = models.build(self.model, self.norm, self.study(), self.pictures.shape, 10, seed)
        initialization.initialize(net, registry.initializers.level(level), seed)
        return net


# The report's four networks, other data, and networks of a user's own.
ROWS = [
    Row("CNN", "cnn"),
    Row("CNN with BN", "cnn", "batch"),
    Row("MLP", "mlp"),
    Row("MLP with BN", "mlp", "batch"),
    Row("MLP, Fashion-MNIST", "mlp", "none", FASHION),
    Row("CNN 8-16-32 with BN, CIFAR-10", "cnn", "batch", CIFAR, channels=(8, 16, 32)),
    Row("LeNet-5 with BN", "lenet-5", "batch", batch=256),
    Row("small ResNet with BN, digits", "small-resnet", "batch", DIGITS),
]
