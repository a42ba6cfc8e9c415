"""Ways to train one run for one epoch on the whole machine. Each returns the seconds that a run-epoch takes there.

A run-epoch here is `share` of MNIST's: so much of the 60,000 training samples, then so much of the 10,000 test samples,
with batches of 100, the models and settings of the report. The first steps of each are not timed.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from bnstudy.study import registry
from bnstudy.study.plan import make_plan
from bnstudy.study.study import Study
from bnstudy.training import epochs
from bnstudy.training.datasets.data import Data
from bnstudy.training.networks import initialization, models
from bnstudy.training.replicas import Vmapped
from bnstudy.training.running import processes, workers
from bnstudy.training.running.cores import usable_cores
from bnstudy.training.running.events import EpochDone, Failed
from bnstudy.training.running.shared_data import Shared
from torch import nn
from torch.nn import functional as F

BATCH, LR, MOMENTUM, WARM_UP = 100, 0.01, 0.9, 10
EPOCHS = 3  # of an ensemble; the first is a warm-up


@dataclass(frozen=True)
class Task:
    """What is trained."""

    model: str
    norm: str


def network(task: Task) -> nn.Module:
    net = models.build(task.model, task.norm, Study.make({}), (1, 28, 28), 10)
    initialization.initialize(net, registry.initializers.level("default"), 0)
    return net


def cores() -> int:
    return usable_cores()


# ------------------------------------------------------------------ bnstudy


def bnstudy(task: Task, shared: Shared, compiled: bool = True) -> float:
    """A worker process a core, an ensemble of 15 each (six initializers, two and a half seeds), as `bnstudy run` starts
    them; evaluation and curves included."""
    data = shared.open()
    study = Study.make(
        {
            "models": task.model,
            "norms": task.norm,
            "epochs": EPOCHS,
            "seeds": 2 * cores(),
            "inits": [f"normal:{0.02 * (i + 1):g}" for i in range(8)],
        }
    )
    times: dict[int, list[float]] = {}
    setup = workers.Setup(study.to_toml(), None, "cpu", compiled)
    plan = make_plan(study, capacity=16)[: cores()]
    for event in processes.train_in_processes(setup, plan, cores(), data):
        if isinstance(event, EpochDone):
            times.setdefault(event.ensemble.index, []).append(time.perf_counter())
        if isinstance(event, Failed):
            raise RuntimeError(event.reason)
    seconds = [(times[e.index][-1] - times[e.index][0]) / (EPOCHS - 1) / len(e.runs) for e in plan]
    return float(np.mean(seconds)) / cores()


def bnstudy_without_kernel(task: Task, shared: Shared) -> float:
    """The same with --no-compile: PyTorch's own kernels."""
    return bnstudy(task, shared, compiled=False)


# ------------------------------------------------------------------ loops over runs


def eager(task: Task, shared: Shared, threads: int) -> float:
    """Tensors in memory, one run at a time: as tight a loop as one writes by hand."""
    torch.set_num_threads(threads)
    data = shared.open()
    net = network(task)
    optimizer = torch.optim.SGD(net.parameters(), LR, MOMENTUM)
    images, labels = data.train
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    parts = list(epochs.batches(len(labels), BATCH))

    def step(part: slice) -> None:
        chosen = order[part]
        optimizer.zero_grad()
        F.cross_entropy(net(images[chosen]), labels[chosen]).backward()
        optimizer.step()

    for part in parts[:WARM_UP]:
        step(part)
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


def loop_one_thread(task: Task, shared: Shared) -> float:
    """The tight loop, one thread; the other cores idle."""
    return eager(task, shared, 1)


def loop_all_threads(task: Task, shared: Shared) -> float:
    """The tight loop, PyTorch's threads on all cores."""
    return eager(task, shared, cores())


def run_a_process(task: Task, shared: Shared) -> float:
    """The tight loop in one process a core, one thread each, no ensembles."""
    return _side_by_side(loop_one_thread, task, shared) / cores()


def vmap(task: Task, shared: Shared) -> float:
    """torch.func.vmap over 8 replicas, one process a core."""
    return _side_by_side(_vmap_one, task, shared) / 8 / cores()


def _vmap_one(task: Task, shared: Shared) -> float:
    torch.set_num_threads(1)
    data = shared.open()
    replicas = Vmapped([network(task) for _ in range(8)])
    for parameter in replicas.parameters.values():
        parameter.requires_grad_()
    sgd = registry.optimizers["sgd"].function
    step = sgd(list(replicas.parameters.values()), torch.full((8,), LR, dtype=torch.float64), MOMENTUM, 0.0)

    def trainer(samples: epochs.Pair) -> epochs.Trainer:
        return epochs.Trainer(replicas, samples, (0,), (0,) * 8, BATCH, step)

    trainer((data.train[0][: WARM_UP * BATCH], data.train[1][: WARM_UP * BATCH])).epoch(1)
    whole = trainer(data.train)
    started = time.perf_counter()
    whole.epoch(1)
    epochs.evaluate(replicas, data.test, "test")
    return time.perf_counter() - started


def _side_by_side(function: Callable[[Task, Shared], float], task: Task, shared: Shared) -> float:
    context = multiprocessing.get_context("spawn")
    with context.Pool(cores()) as pool:
        return float(np.mean(pool.starmap(function, [(task, shared)] * cores(), chunksize=1)))


def pytorch_example(task: Task, shared: Shared) -> float:
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
            self.images = ((pair[0] - low) / (pair[0].max() - low) * 255).byte()[:, 0]
            self.labels = pair[1]

        def __len__(self) -> int:
            return len(self.labels)

        def __getitem__(self, index: int):
            return transform(Image.fromarray(self.images[index].numpy())), int(self.labels[index])

    torch.manual_seed(0)
    train = DataLoader(Pictures(data.train), batch_size=BATCH, shuffle=True)
    test = DataLoader(Pictures(data.test), batch_size=1000)
    net = network(task)
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


def skorch(task: Task, shared: Shared) -> float:
    """skorch's NeuralNetClassifier on arrays in memory, all threads, as its documentation shows it."""
    from skorch import NeuralNetClassifier

    torch.set_num_threads(cores())
    data = shared.open()
    net = NeuralNetClassifier(
        network(task), criterion=nn.CrossEntropyLoss, optimizer=torch.optim.SGD, optimizer__momentum=MOMENTUM, lr=LR
    )
    net.set_params(max_epochs=1, batch_size=BATCH, train_split=None, iterator_train__shuffle=True, verbose=0)
    net.initialize()
    net.partial_fit(data.train[0][: WARM_UP * BATCH].numpy(), data.train[1][: WARM_UP * BATCH].numpy())
    images, labels = data.train[0].numpy(), data.train[1].numpy()
    started = time.perf_counter()
    net.partial_fit(images, labels)
    np.mean(net.predict(data.test[0].numpy()) == data.test[1].numpy())
    return time.perf_counter() - started


# ------------------------------------------------------------------ the bound


def arithmetic(task: Task, shared: Shared) -> float:
    """The multiply-adds of convolutions and products alone, at the rate of a large matrix product on every core."""
    data = shared.open()
    forward, backward = multiply_adds(task)
    train, test = len(data.train[1]), len(data.test[1])
    operations = 2.0 * (train * (forward + backward) + test * forward)
    return operations / (_side_by_side(_product_rate, task, shared) * cores())


def multiply_adds(task: Task) -> tuple[int, int]:
    """Of one sample: forward; backward, which needs no gradient of the images."""
    net, sizes = network(task), []

    def note(module: nn.Module, inputs, output) -> None:
        positions = output[0].numel() // module.weight.shape[0]
        sizes.append(module.weight.numel() * positions)

    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(note)
    net(torch.zeros(2, 1, 28, 28))
    return sum(sizes), 2 * sum(sizes) - sizes[0]


def _product_rate(task: Task, shared: Shared) -> float:
    """Floating-point operations a second of one core."""
    torch.set_num_threads(1)
    a = torch.rand(512, 512)
    for _ in range(20):
        a @ a
    started = time.perf_counter()
    for _ in range(300):
        a @ a
    return 300 * 2 * 512**3 / (time.perf_counter() - started)


CONTESTANTS: dict[str, Callable[[Task, Shared], float]] = {
    "bnstudy": bnstudy,
    "bnstudy, no kernel": bnstudy_without_kernel,
    "tight loop, all threads": loop_all_threads,
    "tight loop, one thread": loop_one_thread,
    "one run a process": run_a_process,
    "torch.func.vmap": vmap,
    "skorch": skorch,
    "PyTorch example": pytorch_example,
    "arithmetic alone": arithmetic,
}


INK, BACKGROUND = 151 / 784, -0.4241  # share of pixels that are not empty; an empty one, standardized


def pictures(share_of_mnist: float) -> Data:
    """Noise of MNIST's shape on MNIST's background: speed depends on nothing else that is on the pictures."""
    draw = torch.Generator().manual_seed(0)

    def pair(n: int) -> epochs.Pair:
        noise = torch.randn(n, 1, 28, 28, generator=draw)
        empty = torch.rand(n, 1, 28, 28, generator=draw) > INK
        return noise.masked_fill_(empty, BACKGROUND), torch.randint(10, (n,), generator=draw)

    return Data(pair(int(60_000 * share_of_mnist)), None, pair(int(10_000 * share_of_mnist)), 10, "noise")
