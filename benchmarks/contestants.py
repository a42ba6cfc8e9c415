"""Ways to train one run for one epoch on the whole machine. Each returns the seconds that a run-epoch takes there.

A run-epoch here is a share of MNIST's: so much of 60,000 training samples, then so much of 10,000 test samples, with
the settings of the report. The first steps of each are not timed.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from bnstudy.study import registry
from bnstudy.study.plan import make_plan
from bnstudy.training import epochs, quickness
from bnstudy.training.datasets.data import Data
from bnstudy.training.one_thread import one_thread
from bnstudy.training.replicas import Vmapped
from bnstudy.training.running import processes, workers
from bnstudy.training.running.cores import usable_cores
from bnstudy.training.running.events import EpochDone, Failed
from bnstudy.training.running.shared_data import Shared
from rows import Row
from torch import nn
from torch.nn import functional as F

LR, MOMENTUM, WARM_UP = 0.01, 0.9, 10
EPOCHS = 3  # of an ensemble; the first is a warm-up


def cores() -> int:
    return usable_cores()


# ------------------------------------------------------------------ bnstudy


def bnstudy(row: Row, shared: Shared, compiled: bool = True) -> float:
    """A worker process a core, an ensemble of 16 each (eight initializers, two seeds), as `bnstudy run` starts them;
    evaluation and curves included."""
    data = shared.open()
    inits = [f"normal:{0.02 * (i + 1):g}" for i in range(8)]
    study = row.study(epochs=EPOCHS, seeds=2 * cores(), inits=inits)
    plan = make_plan(study, capacity=16)[: cores()]
    with one_thread():
        forms = (((row.model, row.norm), quickness.forms_of(study, plan[0].runs, data, compiled)),)
    setup = replace(workers.Setup.of(study, None, "cpu", compiled), forms=forms)
    times: dict[int, list[float]] = {}
    for event in processes.train_in_processes(setup, plan, cores(), data):
        if isinstance(event, EpochDone):
            times.setdefault(event.ensemble.index, []).append(time.perf_counter())
        if isinstance(event, Failed):
            raise RuntimeError(event.reason)
    seconds = [(times[e.index][-1] - times[e.index][0]) / (EPOCHS - 1) / len(e.runs) for e in plan]
    return float(np.mean(seconds)) / cores()


def bnstudy_without_kernel(row: Row, shared: Shared) -> float:
    """The same with --no-compile: PyTorch's own kernels."""
    return bnstudy(row, shared, compiled=False)


# ------------------------------------------------------------------ loops over runs


def eager(row: Row, shared: Shared, threads: int, compiled: bool = False) -> float:
    """Tensors in memory, one run at a time: as tight a loop as one writes by hand."""
    torch.set_num_threads(threads)
    data = shared.open()
    net = row.network()
    if compiled:
        net.compile(dynamic=False)
    optimizer = torch.optim.SGD(net.parameters(), LR, MOMENTUM)
    images, labels = data.train
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    parts = list(epochs.batches(len(labels), row.batch))

    def step(part: slice) -> None:
        chosen = order[part]
        optimizer.zero_grad()
        F.cross_entropy(net(images[chosen]), labels[chosen]).backward()
        optimizer.step()

    for part in parts[:WARM_UP]:
        step(part)
    if compiled:  # for batches of every size
        step(parts[-1])
        _test(net, data)
    started = time.perf_counter()
    for part in parts:
        step(part)
    _test(net, data)
    return time.perf_counter() - started


@torch.no_grad()
def _test(net: nn.Module, data: Data) -> None:
    net.eval()
    for part in epochs.batches(len(data.test[1]), 1000):
        logits = net(data.test[0][part])
        F.cross_entropy(logits, data.test[1][part], reduction="sum").item()
        (logits.argmax(1) == data.test[1][part]).sum().item()
    net.train()


def loop_one_thread(row: Row, shared: Shared) -> float:
    """The tight loop, one thread; the other cores idle."""
    return eager(row, shared, 1)


def loop_all_threads(row: Row, shared: Shared) -> float:
    """The tight loop, PyTorch's threads on all cores."""
    return eager(row, shared, cores())


def compiled_run_a_process(row: Row, shared: Shared) -> float:
    """The same through torch.compile; compiling is not timed."""
    return _side_by_side(_compiled_one, row, shared) / cores()


def _compiled_one(row: Row, shared: Shared) -> float:
    return eager(row, shared, 1, compiled=True)


def run_a_process(row: Row, shared: Shared) -> float:
    """The tight loop in one process a core, one thread each, no ensembles."""
    return _side_by_side(loop_one_thread, row, shared) / cores()


def vmap(row: Row, shared: Shared) -> float:
    """torch.func.vmap over 8 replicas, one process a core."""
    return _side_by_side(_vmap_one, row, shared) / 8 / cores()


def _vmap_one(row: Row, shared: Shared) -> float:
    torch.set_num_threads(1)
    data = shared.open()
    replicas = Vmapped([row.network() for _ in range(8)])
    for parameter in replicas.parameters.values():
        parameter.requires_grad_()
    sgd = registry.optimizers["sgd"].function
    step = sgd(list(replicas.parameters.values()), torch.full((8,), LR, dtype=torch.float64), MOMENTUM, 0.0)

    def trainer(samples: epochs.Pair) -> epochs.Trainer:
        return epochs.Trainer(replicas, samples, (0,), (0,) * 8, row.batch, step)

    trainer((data.train[0][: WARM_UP * row.batch], data.train[1][: WARM_UP * row.batch])).epoch(1)
    whole = trainer(data.train)
    started = time.perf_counter()
    whole.epoch(1)
    epochs.evaluate(replicas, data.test, "test")
    return time.perf_counter() - started


def jax(row: Row, shared: Shared) -> tuple[float, float]:
    """JAX: jit over scan over vmap, 8 replicas, one process a core; and its seconds of compiling."""
    return _jax(row, shared, False)


def jax_of_patches(row: Row, shared: Shared) -> tuple[float, float]:
    """The same with convolutions as products with patches."""
    return _jax(row, shared, True)


def _jax(row: Row, shared: Shared, patches: bool) -> tuple[float, float]:
    import with_jax

    context = multiprocessing.get_context("spawn")
    with context.Pool(cores()) as pool:
        found = pool.starmap(with_jax.train, [(row, shared, patches, core) for core in range(cores())], chunksize=1)
    seconds, compiling = np.mean(found, 0)
    return seconds / with_jax.REPLICAS / cores(), compiling


def _side_by_side(function: Callable[[Row, Shared], float], row: Row, shared: Shared) -> float:
    context = multiprocessing.get_context("spawn")
    with context.Pool(cores()) as pool:
        return float(np.mean(pool.starmap(function, [(row, shared)] * cores(), chunksize=1)))


def pytorch_example(row: Row, shared: Shared) -> float:
    """PyTorch's MNIST example: a data set of PIL images, ToTensor and Normalize, a DataLoader, all threads."""
    from PIL import Image
    from torch.utils.data import DataLoader, Dataset
    from torchvision import transforms

    torch.set_num_threads(cores())
    data = shared.open()
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])

    class Pictures(Dataset):
        def __init__(self, pair: epochs.Pair) -> None:
            low = pair[0].min()
            bytes_ = ((pair[0] - low) / (pair[0].max() - low) * 255).byte()
            self.images = bytes_.permute(0, 2, 3, 1).squeeze(3)
            self.labels = pair[1]

        def __len__(self) -> int:
            return len(self.labels)

        def __getitem__(self, index: int):
            return transform(Image.fromarray(self.images[index].numpy())), int(self.labels[index])

    torch.manual_seed(0)
    train = DataLoader(Pictures(data.train), batch_size=row.batch, shuffle=True)
    test = DataLoader(Pictures(data.test), batch_size=1000)
    net = row.network()
    optimizer = torch.optim.SGD(net.parameters(), LR, MOMENTUM)
    started = time.perf_counter()
    for images, labels in train:
        optimizer.zero_grad()
        loss = F.cross_entropy(net(images), labels)
        loss.backward()
        optimizer.step()
    net.eval()
    with torch.no_grad():
        for images, labels in test:
            logits = net(images)
            F.cross_entropy(logits, labels, reduction="sum").item()
            logits.argmax(1).eq(labels).sum().item()
    return time.perf_counter() - started


def skorch(row: Row, shared: Shared) -> float:
    """skorch's NeuralNetClassifier on arrays in memory, all threads, as its documentation shows it."""
    from skorch import NeuralNetClassifier

    torch.set_num_threads(cores())
    data = shared.open()
    net = NeuralNetClassifier(
        row.network(), criterion=nn.CrossEntropyLoss, optimizer=torch.optim.SGD, optimizer__momentum=MOMENTUM, lr=LR
    )
    net.set_params(max_epochs=1, batch_size=row.batch, train_split=None, iterator_train__shuffle=True, verbose=0)
    net.initialize()
    net.partial_fit(data.train[0][: WARM_UP * row.batch].numpy(), data.train[1][: WARM_UP * row.batch].numpy())
    images, labels = data.train[0].numpy(), data.train[1].numpy()
    started = time.perf_counter()
    net.partial_fit(images, labels)
    np.mean(net.predict(data.test[0].numpy()) == data.test[1].numpy())
    return time.perf_counter() - started


# ------------------------------------------------------------------ the bound


def arithmetic(row: Row, shared: Shared) -> float:
    """The multiply-adds of convolutions and products alone, at the rate of a large matrix product on every core."""
    data = shared.open()
    forward, backward = multiply_adds(row)
    train, test = len(data.train[1]), len(data.test[1])
    operations = 2.0 * (train * (forward + backward) + test * forward)
    return operations / (_side_by_side(_product_rate, row, shared) * cores())


def multiply_adds(row: Row) -> tuple[int, int]:
    """Of one sample: forward; backward, which needs no gradient of the images."""
    net, sizes = row.network(), []

    def note(module: nn.Module, inputs, output) -> None:
        positions = output[0].numel() // module.weight.shape[0]
        sizes.append(module.weight.numel() * positions)

    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(note)
    net(torch.zeros(2, *row.pictures.shape))
    return sum(sizes), 2 * sum(sizes) - sizes[0]


def _product_rate(row: Row, shared: Shared) -> float:
    """Floating-point operations a second of one core."""
    torch.set_num_threads(1)
    a = torch.rand(512, 512)
    for _ in range(20):
        a @ a
    started = time.perf_counter()
    for _ in range(300):
        a @ a
    return 300 * 2 * 512**3 / (time.perf_counter() - started)


CONTESTANTS: dict[str, Callable[[Row, Shared], float | tuple[float, float]]] = {
    "bnstudy": bnstudy,
    "bnstudy, no kernel": bnstudy_without_kernel,
    "tight loop, all threads": loop_all_threads,
    "tight loop, one thread": loop_one_thread,
    "one run a process": run_a_process,
    "one run a process, torch.compile": compiled_run_a_process,
    "torch.func.vmap": vmap,
    "JAX": jax,
    "JAX, patches": jax_of_patches,
    "skorch": skorch,
    "PyTorch example": pytorch_example,
    "arithmetic alone": arithmetic,
}
# Rows of networks that JAX's has the layers of, with its kinds of convolution; XLA's takes minutes for 8-16-32.
IN_JAX = {"CNN": ("JAX", "JAX, patches"), "MLP": ("JAX",), "CNN 8": ("JAX, patches",)}


def offered(row: Row) -> list[str]:
    """The contestants of a row."""
    kinds = max((title for title in IN_JAX if row.title.startswith(title)), key=len, default="")
    return [name for name in CONTESTANTS if not name.startswith("JAX") or name in IN_JAX.get(kinds, ())]
