"""Update rules over replicas against torch.optim."""

from __future__ import annotations

import pytest
import torch
from bnstudy.study.registry import optimizers
from bnstudy.training import optimizers as optimizers_module

RATES = [0.01, 0.3, 0.05]


def steps(generator, count=20):
    shapes = [(4, 3), (4,), (2, 3, 2, 2)]
    starts = [torch.randn(len(RATES), *s, dtype=torch.float64, generator=generator) for s in shapes]
    grads = [[torch.randn(p.shape, dtype=torch.float64, generator=generator) for p in starts] for _ in range(count)]
    return starts, grads


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("sgd", lambda p, lr, wd: torch.optim.SGD(p, lr, 0.9, weight_decay=wd)),
        ("plain-sgd", lambda p, lr, wd: torch.optim.SGD(p, lr, 0.0, weight_decay=wd)),
        ("adam", lambda p, lr, wd: torch.optim.Adam(p, lr, weight_decay=wd)),
        ("adamw", lambda p, lr, wd: torch.optim.AdamW(p, lr, weight_decay=wd)),
    ],
)
def test_each_replica_is_what_torch_gives_alone(generator, name, make, decay):
    starts, grads = steps(generator)
    ours = [p.clone().requires_grad_() for p in starts]
    step = optimizers[name].function(ours, torch.tensor(RATES, dtype=torch.float64), 0.9, decay)
    for some in grads:
        for p, g in zip(ours, some, strict=True):
            p.grad = g.clone()
        step()
    for r, rate in enumerate(RATES):
        theirs = [p[r].clone().requires_grad_() for p in starts]
        optimizer = make(theirs, rate, decay)
        for some in grads:
            for p, g in zip(theirs, some, strict=True):
                p.grad = g[r].clone()
            optimizer.step()
        for mine, other in zip(ours, theirs, strict=True):
            assert torch.allclose(mine[r], other, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", list(optimizers))
def test_a_nan_stays_in_its_replica(generator, name):
    starts, grads = steps(generator, 3)
    results = []
    for poisoned in (False, True):
        ours = [p.clone().requires_grad_() for p in starts]
        step = optimizers[name].function(ours, torch.tensor(RATES, dtype=torch.float64), 0.9, 0.01)
        for some in grads:
            for p, g in zip(ours, some, strict=True):
                p.grad = g.clone()
                if poisoned:
                    p.grad[1] = float("nan")
            step()
        results.append([p.detach()[[0, 2]] for p in ours])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


@pytest.mark.parametrize("name", list(optimizers))
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rates_changed_in_place_are_the_rates_from_then_on(generator, name, dtype):
    starts, grads = steps(generator, 2)
    weights = []
    for halved in (0, 1):
        ours = [p.to(dtype, copy=True).requires_grad_() for p in starts]
        rates = torch.tensor(RATES, dtype=torch.float64)
        step = optimizers[name].function(ours, rates, 0.9, 0.0)
        for number, some in enumerate(grads):
            if number == 1 and halved:
                rates.zero_()
            for p, g in zip(ours, some, strict=True):
                p.grad = g.to(dtype)
            before = [p.detach().clone() for p in ours]
            step()
        weights.append((before, ours))
    assert all(torch.equal(p, q) for p, q in zip(*weights[1], strict=True))
    assert not any(torch.equal(p, q) for p, q in zip(*weights[0], strict=True))


@pytest.mark.parametrize("name", list(optimizers))
@pytest.mark.parametrize("size", [0, 2 * optimizers_module.LARGE])
def test_a_step_with_no_small_gradient_moves_the_large_ones_alone(name, size):
    ours = [torch.ones(3, size, requires_grad=True), torch.ones(3, 2, requires_grad=True)]
    step = optimizers[name].function(ours, torch.tensor(RATES, dtype=torch.float64), 0.9, 0.0)
    if size:
        ours[0].grad = torch.ones_like(ours[0])
    step()
    assert bool((ours[0] < 1).all())
    assert torch.equal(ours[1], torch.ones(3, 2))
