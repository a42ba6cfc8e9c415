"""What theory says of deep networks at their initialization, and what was measured there.

For fully connected ReLU networks whose weights have variance 2 S²/fan_in (``scaled-normal:S``), in wide layers:

- without a norm the mean square of the signal changes by S² a layer (He et al. 2015; S = 1 is the edge of chaos of
  Schoenholz et al. 2017), over a depth of xi = 1/abs(ln S²) by a factor e; about 6 xi can be trained;
- with Batch Normalization before the ReLU the squared norm of the gradient grows towards the input by a factor that
  depends on the batch size alone (Yang et al. 2019, theorems 8 and 9).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import xarray as xr

from bnstudy.analysis import responses
from bnstudy.analysis.criteria import study_of
from bnstudy.analysis.normal_form import FIRST
from bnstudy.analysis.robustness import scaled_levels
from bnstudy.analysis.summaries import mean_interval
from bnstudy.study import registry

PLAIN, BN = "none", "batch"
DEEP = 8  # hidden layers from which on a growth a layer is told: the first ones are not yet at their limit
TRAINABLE = 6.0  # depths xi that can be trained (Schoenholz et al. 2017)
BN_DEPTH = 50  # hidden layers from about which BN-ReLU networks did not train on MNIST (Yang et al. 2019)


def signal_growth(scale: Any) -> Any:
    """Factor a layer of the signal's mean square, in a ReLU network without norm and without biases: S²."""
    return scale**2


def gradient_growth(batch: int) -> float:
    """Factor a layer of the squared gradient norm in a deep BN-ReLU network, towards its input.

    Deep in the network the batch at a unit, centred, points anywhere in the hyperplane of mean 0 with equal chances.
    With c = -1/(B - 1), the correlation of two samples there, ReLU gives two samples the mean product b and leaves both
    positive with probability p; what the batch norm's Jacobian leaves of a gradient that is alike in all directions
    follows. The limit for large batches is pi/(pi - 1).

    Parameters
    ----------
    batch : int
        B, samples a batch, at least 4.
    """
    c = -1 / (batch - 1)
    b = (math.sqrt(1 - c**2) + c * (math.pi - math.acos(c))) / (2 * math.pi)
    p = 1 / 4 + math.asin(c) / (2 * math.pi)
    kept = (batch - 3) / 2 + (1 + (batch - 1) * (p + b)) / batch
    return batch / ((1 / 2 - b) * (batch - 3)) * kept / (batch - 1)


def trainable_depth(scale: float) -> float:
    """Hidden layers that can be trained without a norm: 6/abs(ln S²), infinite at S = 1."""
    return math.inf if scale == 1 else TRAINABLE / abs(math.log(signal_growth(scale)))


def depths(dataset: xr.Dataset) -> dict[str, int]:
    """The models that are MLPs of equal widths, as in ``mlp:100x20``, and their hidden layers, rising."""
    found = {}
    for label in map(str, dataset.model.values):
        family, _, rest = label.partition(":")
        widths = registry.read_widths(rest)
        if family == "mlp" and widths and len(set(widths)) == 1:
            found[label] = len(widths)
    return dict(sorted(found.items(), key=lambda item: item[1]))


def agreement(dataset: xr.Dataset, norm: str) -> tuple[int, int]:
    """In how many cells of depth and scale, of how many, the final accuracy lies on the side that theory predicts.

    Predicted to train are networks without a norm of at most :func:`trainable_depth` hidden layers, with BN those of at
    most :data:`BN_DEPTH`; as trained counts a mean accuracy over half-way between chance and the best cell's.

    Parameters
    ----------
    dataset : Dataset
        With one setting, or of which the first is read.
    norm : str
        ``none`` or ``batch``.
    """
    first = dataset.isel({dim: 0 for dim in FIRST if dim in dataset.dims}).sel(norm=norm)
    deep, scales = depths(first), scales_of(first)
    accuracy = responses.final(first, "test_accuracy").mean("seed").sel(model=list(deep), init=list(scales))
    half = (responses.chance(dataset) + float(accuracy.max())) / 2
    limits = [trainable_depth(scale) if norm == PLAIN else BN_DEPTH for scale in scales.values()]
    predicted = np.array(list(deep.values()))[:, None] <= np.array(limits)[None, :]
    seen = accuracy.transpose("model", "init")
    right = ((seen.values > half) == predicted) & seen.notnull().values
    return int(right.sum()), int(seen.notnull().sum())


@dataclass(frozen=True)
class Growth:
    """A growth a layer as predicted and as measured over n seeds, with a 95 % t interval."""

    model: str
    depth: int
    norm: str
    init: str
    scale: float
    batch: int
    what: str
    predicted: float
    measured: float
    low: float
    high: float
    n: int

    @property
    def deviation(self) -> float:
        """How far the measured one is from the predicted one, relative."""
        return self.measured / self.predicted - 1


def growths(found: xr.Dataset) -> list[Growth]:
    """Every growth a layer that theory predicts, beside the measured one.

    A growth is that of a line through the logarithms, over the hidden layers but the first; the network has to have
    :data:`DEEP` of them.

    Parameters
    ----------
    found : Dataset
        Diagnostics of a study, of which epoch 0 is read, or a probe.
    """
    start = found.sel(epoch=0) if "epoch" in found.dims else found
    start = start.isel({dim: 0 for dim in ("optimizer", "lr", "weight_decay") if dim in start.dims})
    known = "batch_size" in start.coords  # a probe says it in its study alone
    sizes = np.atleast_1d(start.batch_size).tolist() if known else study_of(found).get("batch_size", [100])
    scales = scales_of(start)
    rows = []
    for model, depth in depths(start).items():
        if depth < DEEP:
            continue
        for size in sizes:
            here = start.sel(model=model, batch_size=size) if "batch_size" in start.dims else start.sel(model=model)
            for init, scale in scales.items():
                for norm, what, predicted in (
                    (PLAIN, "signal", signal_growth(scale)), (BN, "gradient", gradient_growth(size)),
                ):  # fmt: skip
                    if norm not in here.norm.values or (norm == BN and size < 4):
                        continue
                    cell = here.sel(norm=norm, init=init)
                    values = cell.preactivation_spread if what == "signal" else cell.gradient_norm
                    slopes = xr.DataArray(_slopes(values.transpose("seed", "layer").values, depth), dims="seed")
                    around = mean_interval(slopes)
                    sign = 1 if what == "signal" else -1  # gradients grow towards the input
                    low, high = sorted(math.exp(sign * float(around[name])) for name in ("lower", "upper"))
                    if not int(around["n"]):
                        continue  # the signal overflowed
                    measured, n = math.exp(sign * float(around["mean"])), int(around["n"])
                    rows.append(
                        Growth(model, depth, norm, init, scale, int(size), what, predicted, measured, low, high, n)
                    )
    return rows


def scales_of(found: xr.Dataset) -> dict[str, float]:
    """The levels of scaled-normal and their scales; read from the labels where the dataset does not say."""
    if known := scaled_levels(found):
        return known
    levels = {str(label): registry.initializers.level(str(label)) for label in found.init.values}
    return {label: level.value for label, level in levels.items() if level.family == "scaled-normal" and level.value}


def _slopes(values: np.ndarray, depth: int) -> np.ndarray:
    """For each seed the slope of the logarithm of the squares (seed, layer) over the hidden layers but the first."""
    hidden = values[:, 1:depth].astype(np.float64)
    with np.errstate(divide="ignore"):
        logs = 2 * np.log(hidden)
    return np.array([
        np.polyfit(np.arange(len(row)), row, 1)[0] if np.isfinite(row).all() else np.nan for row in logs
    ])  # fmt: skip


def plain(rows: list[Growth]) -> list[dict[str, Any]]:
    """Growths as plain Python values; None for what is not there."""
    return [
        {key: None if isinstance(value, float) and math.isnan(value) else value for key, value in asdict(one).items()}
        for one in rows
    ]
