"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from bnstudy import data
from bnstudy.study import Study

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(20)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20)


@pytest.fixture(scope="session")
def digits() -> data.Data:
    return data.load(Study.make({"dataset": "digits"}))


@pytest.fixture(scope="session")
def mnist_folder() -> Path:
    """The folder of real MNIST; the test is skipped where there is none."""
    named = os.environ.get("BNSTUDY_DATA_DIR")
    for folder in ([Path(named)] if named else []) + [ROOT.parent / "shared" / "data"]:
        if (folder / "MNIST" / "raw").is_dir():
            return folder
    pytest.skip("no MNIST: set BNSTUDY_DATA_DIR to a folder that holds it")
