"""What a network is seen to do: whatever other threads of the process do meanwhile."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from bnstudy.training.replicas.traits import observe
from torch import nn

IMAGES, LABELS = torch.linspace(-1, 1, 4 * 6).reshape(4, 1, 2, 3), torch.arange(4) % 3
OTHERS_DRAW = threading.Event()  # once, as the threads of a Dask worker do now and then


class Plain(nn.Module):
    """Another thread draws from Python's generator as it runs for the first time."""

    def __init__(self) -> None:
        super().__init__()
        self.output = nn.Linear(6, 3)

    def forward(self, x):
        if OTHERS_DRAW.is_set():
            OTHERS_DRAW.clear()
            other = threading.Thread(target=random.random)
            other.start()
            other.join()
        return self.output(x.flatten(1))


class Shuffles(Plain):
    def forward(self, x):
        return super().forward(x) * random.random()


def test_what_another_thread_draws_is_not_the_networks():
    OTHERS_DRAW.set()
    seen = observe(Plain(), IMAGES, LABELS)
    assert not OTHERS_DRAW.is_set()
    assert (seen.draws, seen.obstacle) == ("", "")


def test_a_network_that_draws_every_time_is_seen_to():
    assert observe(Shuffles(), IMAGES, LABELS).draws == "by layer"
    assert observe(nn.Sequential(nn.Flatten(), nn.Linear(6, 3), nn.Dropout()), IMAGES, LABELS).draws == "by layer"


def test_a_generator_that_threads_share_is_refused_beside_others():
    with ThreadPoolExecutor(1) as pool, pytest.raises(ValueError, match="Python's global generator, from which other"):
        pool.submit(observe, Shuffles(), IMAGES, LABELS).result()
