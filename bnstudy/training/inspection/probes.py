"""What networks look like before they train: every cell of a study, at its first seed."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import xarray as xr

from bnstudy.study import provenance, registry, schema
from bnstudy.study.schema import OUTPUT
from bnstudy.study.study import Study
from bnstudy.training import streams
from bnstudy.training.assembly import check, traits_of, untouched
from bnstudy.training.datasets.data import Data
from bnstudy.training.inspection import sharpness, signals
from bnstudy.training.networks import initialization, models

CELL = ("model", "norm", "init", "seed")


@streams.one_thread_at_a_time
def probe(study: Study, data: Data, mechanism: bool = False) -> xr.Dataset:
    """Measure every cell of a study at its first seed, optimizer and learning rate, without training it.

    Parameters
    ----------
    study : Study
        What is asked; its first batch size is the batch.
    data : Data
        The study's.
    mechanism : bool
        Also measure the loss around the weights.

    Returns
    -------
    Dataset
        :data:`~bnstudy.training.inspection.signals.MEASURES` over model, norm, init, seed and ``layer``, the weight
        layers in the order in which they act; NaN where a network has no layer of that name. ``initial_loss`` over
        the same without ``layer``, and with `mechanism` :data:`bnstudy.training.inspection.sharpness.MEASURES`.
    """
    check(study, data)
    seeds = study.seeds[:1]
    labels = list(product(study.models, study.norms, study.inits, seeds))
    measured_cells = [_probe_one(study, *cell, data, mechanism) for cell in labels]
    layers = [*dict.fromkeys(layer for measured, _ in measured_cells for layer in measured if layer != OUTPUT), OUTPUT]
    sizes = (len(study.models), len(study.norms), len(study.inits), len(seeds))
    variables: dict[str, Any] = {}
    for name, (long_name, units) in signals.MEASURES.items():
        values = [[measured.get(layer, {}).get(name, np.nan) for layer in layers] for measured, _ in measured_cells]
        about = {"long_name": long_name, "units": units}
        variables[name] = ((*CELL, "layer"), np.array(values).reshape(*sizes, -1), about)
    whole = {"initial_loss": ("cross-entropy of the batch", "nat"), **(sharpness.MEASURES if mechanism else {})}
    for name, (long_name, units) in whole.items():
        of_networks = np.array([measured[name] for _, measured in measured_cells]).reshape(sizes)
        variables[name] = (CELL, of_networks, {"long_name": long_name, "units": units})
    coords = {"model": list(study.models), "norm": list(study.norms), "init": list(study.inits), "seed": list(seeds),
              "layer": layers, "init_role": ("init", list(study.init_roles.values()))}  # fmt: skip
    attributes = {
        "title": "Signals and gradients before training", "study": study.to_toml(), "study_hash": study.digest,
        "dataset": study.dataset, "lr": study.lr[0], "not_initialized": schema.told_by_model(untouched(study, data)),
        **provenance.attributes("cpu"),
    }  # fmt: skip
    return xr.Dataset(variables, coords, attributes)


def _probe_one(
    study: Study, model: str, norm: str, init: str, seed: int, data: Data, mechanism: bool
) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    """What each weight layer shows, by its name; and what the whole network does."""
    images, labels = data.train
    batch = streams.batch_order(seed, 1, len(labels))[: study.batch_size[0]]
    network = models.build(model, norm, study, data.shape, data.classes, seed)
    level = registry.initializers.level(init)
    order = traits_of(study, model, norm, data).layers
    initialization.initialize(network, level, seed, study.init_scope, images[: study.batch_size[0]], order)
    with streams.kept():
        streams.turn("look", seed, 0)
        layers, loss = signals.signals(network, images[batch], labels[batch], study.lr[0])
    around = sharpness.landscape(network, images[batch], labels[batch], study.lr[0]) if mechanism else {}
    return layers, {"initial_loss": loss, **around}
