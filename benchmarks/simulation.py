"""Made-up studies whose truth is known, to see how often an analysis of them is right.

The epoch in which run (norm, init, seed) first exceeds the target is ``base(init) + seed's effect + noise``, less what
the norm saves there, rounded up; nobody sees it if it is later than the last epoch. Many studies are one dataset, each
of them a model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from bnstudy.analysis.normal_form import CURVE_DIMS

REACHED, BEFORE, TARGET = 0.985, 0.5, 0.98
NOISES = ("symmetric", "skewed", "censored")


@dataclass(frozen=True)
class Truth:
    """What is true in a simulated study.

    Attributes
    ----------
    saves_well, saves_poor : float
        Epochs the norm saves at the well init, and at each poor one.
    poor_levels, seeds : int
        Poor inits, and seeds.
    noise : str
        ``symmetric``: normal, of deviation 1.5 in both arms. ``skewed``: exponential without the norm (deviation 2),
        normal with it (0.7). ``censored``: as symmetric, and the last epoch lies where the poor runs are.
    """

    saves_well: float = 0.0
    saves_poor: float = 0.0
    poor_levels: int = 1
    seeds: int = 10
    noise: str = "symmetric"

    @property
    def base(self) -> np.ndarray:
        """Mean epoch of each init without the norm, the well one first."""
        return np.array([10.0, *np.linspace(20.0, 24.0, self.poor_levels)])

    @property
    def saves(self) -> np.ndarray:
        """Epochs saved at each init."""
        return np.array([self.saves_well, *[self.saves_poor] * self.poor_levels])

    @property
    def epochs(self) -> int:
        """The last epoch."""
        return 22 if self.noise == "censored" else 40


def times(truth: Truth, studies: int, generator: np.random.Generator) -> np.ndarray:
    """The response of every run, cut at the last epoch, where it also stands for never; (studies, norm, init, seed)."""
    shape = (studies, len(truth.base), truth.seeds)
    if truth.noise == "skewed":
        noise = [2.0 * (generator.exponential(size=shape) - 1.0), generator.normal(0, 0.7, shape)]
    else:
        noise = [generator.normal(0, 1.5, shape) for _ in range(2)]
    shared = generator.normal(0, 1, (studies, 1, truth.seeds))
    base, saves = truth.base[:, None], truth.saves[:, None]
    found = np.stack([base + shared + noise[0], base + shared + noise[1] - saves], axis=1)
    return np.clip(np.ceil(found), 1, truth.epochs + 1)


def simulate(truth: Truth, studies: int, generator: np.random.Generator) -> xr.Dataset:
    """Datasets of studies, each a level of ``model``, as :func:`bnstudy.analysis.assessment.assess` takes them."""
    reached = times(truth, studies, generator)[:, :, :, None, None, :, None]
    epochs = np.arange(1, truth.epochs + 1)
    accuracy = np.where(epochs >= reached, REACHED, BEFORE).astype(np.float32)
    inits = ["well", *(f"poor-{i}" for i in range(1, truth.poor_levels + 1))]
    coords = {
        "model": [f"study-{i}" for i in range(studies)], "norm": ["none", "batch"], "init": inits,
        "optimizer": ["sgd"], "lr": [0.01], "seed": np.arange(truth.seeds), "epoch": epochs,
        "init_role": ("init", ["well", *["poor"] * truth.poor_levels]),
    }  # fmt: skip
    return xr.Dataset({"test_accuracy": (CURVE_DIMS, accuracy)}, coords, {"target_accuracy": TARGET, "classes": 10})


def true_interaction(truth: Truth, generator: np.random.Generator, draws: int = 400_000) -> np.ndarray:
    """Mean difference in differences of each poor init, as the response sees it: rounded and cut; (poor_levels,)."""
    seen = np.minimum(times(truth, draws // truth.seeds, generator), truth.epochs)
    gains = (seen[:, 0] - seen[:, 1]).mean((0, 2))
    return gains[1:] - gains[0]
