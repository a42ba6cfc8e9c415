"""Fixtures shared by all tests."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from bnstudy.study import registry
from bnstudy.study.study import Study
from bnstudy.training.datasets import data
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent


NAMED_DATA = os.environ.get("BNSTUDY_DATA_DIR")
# What a shell, a terminal or a network may have set: a test that is about one of them sets it itself.
SURROUNDINGS = (
    "BNSTUDY_DATA_DIR", "BNSTUDY_JOBS", "BNSTUDY_DEVICE", "DISPLAY", "WAYLAND_DISPLAY", "BROWSER", "COLUMNS", "LINES",
    "TERM", "TERMINAL_WIDTH", "NO_COLOR", "FORCE_COLOR", "PY_COLORS",
    "TTY_COMPATIBLE", "TTY_INTERACTIVE", "GITHUB_ACTIONS", "http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY",
    "HTTPS_PROXY", "ALL_PROXY",
)  # fmt: skip

FEW_FIGURES = ("accuracy-by-condition", "gain-by-condition", "forest", "accuracy-curves", "paired-seeds")

# The same examples everywhere, however slow the machine is.
settings.register_profile("any machine", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.fixture(autouse=True, scope="session")
def _any_machine() -> Iterator[None]:
    """Tests run alike in any shell: on one thread, heeding Ctrl-C, and without what the shell has set."""
    torch.set_num_threads(1)
    # Started in the background a shell's commands ignore SIGINT, and so would all processes that tests start.
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    if ignored and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)
    with pytest.MonkeyPatch.context() as patched:
        for name in SURROUNDINGS:
            patched.delenv(name, raising=False)
        patched.setenv("BNSTUDY_CONFIG", str(ROOT / "tests" / "no-config.toml"))  # not the user's own
        yield


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
    if NAMED_DATA and (Path(NAMED_DATA) / "MNIST" / "raw").is_dir():
        return Path(NAMED_DATA)
    pytest.skip("no MNIST: set BNSTUDY_DATA_DIR to a folder that holds it")


@pytest.fixture
def few_figures(monkeypatch):
    """Pages and galleries of a few figures: all take half a minute, and tests of figures draw each."""
    assert set(FEW_FIGURES) <= set(registry.figures)  # which registers those of the package
    monkeypatch.setattr(registry.figures, "_entries", {name: registry.figures[name] for name in FEW_FIGURES})


@pytest.fixture
def register():
    """Register for one test: ``register(registry, name)(function)``."""
    made = []

    def add(kind, name, **about):
        made.append((kind, name))
        return kind.register(name, label=name, **about)

    yield add
    for kind, name in made:
        kind._entries.pop(name, None)
