"""The same measures as a probe's, for every run of an ensemble, before its first epoch and after each."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from bnstudy.study.curves import Diagnostics
from bnstudy.study.errors import RAISED
from bnstudy.study.plan import Ensemble
from bnstudy.study.study import Run, Study
from bnstudy.training import streams
from bnstudy.training.datasets.data import Data
from bnstudy.training.epochs import precision
from bnstudy.training.inspection import sharpness, signals
from bnstudy.training.networks import models
from bnstudy.training.replicas import Replicas
from bnstudy.training.replicas.reference import is_finite

WHOLE = {"batch_loss": ("cross-entropy of the batch that is looked at, in training mode", "nat")}


@torch.no_grad()
def fill(network: nn.Module, state: dict[str, Tensor]) -> None:
    """Give a network parameters and buffers by name, also those that are not stored or have another shape."""
    for name, parameter in network.named_parameters():
        parameter.data = state[name].detach().clone()
    copies: dict[int, Tensor] = {}  # one that two modules share stays one
    for name, _ in [*network.named_buffers(remove_duplicate=False)]:
        owner, _, last = name.rpartition(".")
        copied = copies.setdefault(id(state[name]), state[name].detach().clone())
        network.get_submodule(owner)._buffers[last] = copied


class Recorder:
    """Looks at every run of an ensemble on one batch: the first of its first epoch, at every moment the same.

    It works on a plain network of its own, so that training does not notice; what a network remembers besides
    parameters and buffers is not there. A run whose loss there is not finite leaves NaN.
    """

    def __init__(self, study: Study, ensemble: Ensemble, data: Data) -> None:
        images, labels = data.train
        first = ensemble.runs[0]
        self.runs = ensemble.runs
        self.mechanism = study.mechanism
        self.network = models.build(study.network_of(first), first.norm, study, data.shape, data.classes).to(
            images.device
        )
        chosen = {seed: streams.batch_order(seed, 1, len(labels))[: first.batch_size] for seed in ensemble.seeds}
        self.batches = {seed: (images[order.to(images.device)], labels[order.to(images.device)])
                        for seed, order in chosen.items()}  # fmt: skip
        self.found: list[list[tuple[dict[str, dict[str, float]], dict[str, float]]]] = []

    def look(self, replicas: Replicas) -> None:
        """Measure every run as it is now."""
        dtype = precision(replicas)
        self.found.append([self._look_at(replicas.state(i), run, dtype) for i, run in enumerate(self.runs)])

    def _look_at(
        self, state: dict[str, Tensor], run: Run, dtype: torch.dtype
    ) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
        images, labels = self.batches[run.seed]
        with streams.kept():  # for layers that draw, as dropout does
            streams.turn("look", run.seed, len(self.found))
            fill(self.network, state)
            try:
                layers, loss = signals.signals(self.network, images.to(dtype), labels, run.lr)
            except RAISED:  # some networks do not go on with weights that are no numbers
                if is_finite(self.network):
                    raise
                return {}, {"batch_loss": np.nan}
            whole = {"batch_loss": loss}
            if self.mechanism:
                fill(self.network, state)  # running statistics, for a norm that uses them
                whole |= sharpness.landscape(self.network, images.to(dtype), labels, run.lr)
        return layers, whole

    def result(self, epochs: int) -> Diagnostics:
        """Everything measured, at `epochs` + 1 moments; NaN at those that were not reached."""
        layers = tuple(self.found[0][0][0])
        measures = {**WHOLE, **(sharpness.MEASURES if self.mechanism else {})}
        of_whole = {name: np.full((len(self.runs), epochs + 1), np.nan, np.float32) for name in measures}
        shape = (len(self.runs), epochs + 1, len(layers))
        by_layer = {name: np.full(shape, np.nan, np.float32) for name in signals.MEASURES}
        with np.errstate(over="ignore"):
            for moment, runs in enumerate(self.found):
                for i, (of_layers, whole) in enumerate(runs):
                    if not np.isfinite(whole["batch_loss"]):
                        continue
                    for name, values in of_whole.items():
                        values[i, moment] = whole[name]
                    for name, stacked in by_layer.items():
                        stacked[i, moment] = [of_layers[layer].get(name, np.nan) for layer in layers]
        return Diagnostics(layers, by_layer, of_whole, {**measures, **signals.MEASURES})
