"""From the runs of a study to networks that are ready to train, and what is refused before anything trains."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bnstudy.study import registry
from bnstudy.study.errors import RAISED, InputError, raised_at, reason_of
from bnstudy.study.study import Run, Study
from bnstudy.training import streams
from bnstudy.training.datasets.data import Data
from bnstudy.training.epochs import batches
from bnstudy.training.networks import initialization, models, weights
from bnstudy.training.networks.outputs import check_sound
from bnstudy.training.replicas import (
    Reference,
    Replicas,
    Traits,
    Trial,
    check_outputs,
    observe,
    refuse_unlike,
    replicate,
    structure,
)

Arm = tuple[str, str]  # model, norm
OVER = {"instance": "channel", "group": "group", "layer": "sample"}  # by norm, what it takes the moments of
LARGE = 1e6  # parameters, from which on each size of a batch is tried once, not shared and apart


def build_replicas(
    study: Study,
    runs: Sequence[Run],
    data: Data,
    device: torch.device | str,
    dtype: torch.dtype = torch.float32,
    compiled: bool = True,
    reference: bool = False,
    forms: Sequence[str] | None = None,
) -> Replicas:
    """The initialized replicas of some runs of one model and norm, ordered by seed.

    Parameters
    ----------
    study, runs, data
        What to build, and the study's data on `device`.
    device, dtype
        Where and in which precision they will train.
    compiled : bool
        Whether code of our own may be built and used.
    reference : bool
        Whether to train one run after the other, whatever faster form there is.
    forms : sequence of str, optional
        Those that may be taken, by name; see :mod:`~bnstudy.training.quickness`.
    """
    first, seeds = runs[0], [run.seed for run in runs]
    images = data.train[0]
    # Of the study's first batch size: a level of another one starts from the same weights.
    example = images[: study.batch_size[0]].cpu()
    traits = traits_of(study, study.network_of(first), first.norm, data, first.batch_size)
    networks = []
    for run in runs:
        network = models.build(study.network_of(run), run.norm, study, data.shape, data.classes, run.seed)
        level = registry.initializers.level(run.init)
        initialization.initialize(network, level, run.seed, study.init_scope, example, traits.layers)
        networks.append(_in_precision(network.to(device), dtype))
    if reference:
        return Reference(networks, seeds, traits.draws, dtype)
    distinct = list(dict.fromkeys(seeds))
    sizes = [part.stop - part.start for part in batches(len(images), first.batch_size)]
    groups = [distinct.index(seed) for seed in seeds]
    parameters = sum(p.numel() for p in networks[0].parameters())
    evaluation = data.test[0][: sizes[0]]
    thorough = not traits.plain and parameters <= LARGE
    trial = Trial.of(data.train, groups, (sizes[0], sizes[-1]), evaluation, parameters, thorough)
    return replicate(networks, traits, trial, seeds, compiled, dtype, forms)


def traits_of(study: Study, model: str, norm: str, data: Data, batch_size: int | None = None) -> Traits:
    """What the network of one arm does on a batch of the study's; InputError if it cannot be trained on it."""
    images, labels = (values[: batch_size or study.batch_size[0]] for values in data.train)
    network = models.build(model, norm, study, data.shape, data.classes).to(images.device)
    with told(model, norm, len(images)):
        return observe(network, images, labels)


@streams.one_thread_at_a_time
def check(study: Study, data: Data) -> None:
    """Try every model with every norm and every initializer on a batch, before anything trains.

    Raises
    ------
    InputError
        A network cannot be built or trained, gives other than finite logits of the classes, cannot be built a second
        time alike, is the same in two arms, or has a
        norm with nothing to normalize; an initializer fails, fills nothing or with no finite numbers, or draws
        from elsewhere than its layer's generator.
    """
    for model in _networks(study, data):
        seen: dict[str, tuple[object, Tensor]] = {}
        for norm in study.norms:
            traits = traits_of(study, model, norm, data)
            networks = [_network(study, model, norm, data, seed) for seed in (study.seeds[0], study.seeds[-1])]
            with told(model, norm):
                refuse_unlike(networks)
            _try_sizes(study, model, norm, data)
            here = structure(networks[0]), _outputs(study, model, norm, data)
            for other, there in seen.items():
                if there[0] == here[0] and torch.equal(there[1], here[1]):
                    raise InputError(
                        f"{model!r} is the same network with norm {norm!r} as with {other!r}: there is no effect to "
                        "find; build it with blocks.unit or blocks.swap_norms", "models",
                    )  # fmt: skip
            seen[norm] = here
            for label in study.inits:
                _check_init(study, model, norm, label, data, traits)


def _networks(study: Study, data: Data) -> list[str]:
    """Every model with every activation; InputError where activations make no difference."""
    if len(study.activation) == 1:
        return list(study.models)
    labels = []
    for model in study.models:
        seen: dict[str, Tensor] = {}
        for activation in study.activation:
            label = registry.models.activated(model, activation)
            labels.append(label)
            here = _outputs(study, label, study.norms[0], data)
            for other, there in seen.items():
                if torch.equal(here, there):
                    raise InputError(
                            f"{model!r} is the same network with activation {activation!r} as with {other!r}: there is "
                            "no effect to find; build it with blocks.unit or blocks.activation", "activation",
                        )  # fmt: skip
            seen[activation] = here
    return labels


@streams.one_thread_at_a_time
def untouched(study: Study, data: Data) -> dict[Arm, tuple[str, ...]]:
    """The parameters of each arm that no initializer sets: they begin as the network's own code makes them."""
    return {arm: weights.untouched(_network(study, *arm, data)) for arm in study.arms()}


def _network(study: Study, model: str, norm: str, data: Data, seed: int = 0) -> nn.Module:
    return models.build(model, norm, study, data.shape, data.classes, seed)


def _try_sizes(study: Study, model: str, norm: str, data: Data) -> None:
    """InputError where an arm's network fails on a batch of some size that training or evaluation takes.

    It learns from one batch after the other: some can do so once only.
    """
    network = _network(study, model, norm, data).to(data.train[1].device)
    taken = [(True, data.train, size) for size in study.batch_size]
    taken += [(False, part, Reference.evaluation_batch) for part in (data.test, data.validation) if part]
    for training, (images, labels), batch in taken:
        for size in sorted({part.stop - part.start for part in batches(len(labels), batch)}):
            with told(model, norm, size), streams.kept(), torch.set_grad_enabled(training):
                logits = network.train(training)(images[:size].clone())
                check_outputs(logits, labels[:size], data.classes)
                check_sound(model, logits)
                if training:
                    F.cross_entropy(logits, labels[:size]).backward()


def _outputs(study: Study, model: str, norm: str, data: Data) -> Tensor:
    """What an arm's network gives for the last batch of an epoch, and in evaluation; the same if built again."""
    parts = [part for size in study.batch_size for part in batches(len(data.train[1]), size)]
    images = data.train[0][parts[-1]]
    found = []
    for _ in range(2):
        network = _network(study, model, norm, data).to(images.device).train()
        with told(model, norm, len(images)), streams.kept(), torch.no_grad(), _values_a_group(network, model, norm):
            streams.turn("check")
            training = network(images.clone())
            evaluation = network.eval()(data.test[0][: len(images)].clone())
            found.append(torch.cat([training.flatten(), evaluation.flatten()]))
    if not torch.equal(found[0].nan_to_num(), found[1].nan_to_num()):
        raise InputError(
            f"{model!r} with norm {norm!r} gives other outputs each time it is built: draw from torch's, NumPy's or "
            "Python's global generators alone, which belong to the run's seed, so that a run can be repeated", "models",
        )  # fmt: skip
    return found[0]


@contextmanager
def _values_a_group(network: nn.Module, model: str, norm: str) -> Iterator[None]:
    """InputError where the arm normalizes a single value, which is then 0 whatever it was."""

    def look(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        x = inputs[0]
        if x[0].numel() == module.num_groups:
            name = next(name for name, other in network.named_modules() if other is module)
            raise InputError(
                f"norm {norm!r} has one value a {OVER[registry.norms.level(norm).family]} to normalize at layer "
                f"{name!r} of {model!r} (its input is {tuple(x.shape)}): nothing would pass it", "norms",
            )  # fmt: skip

    ours = registry.norms.level(norm).family in OVER
    groups = [module for module in network.modules() if ours and type(module) is nn.GroupNorm]
    handles = [module.register_forward_pre_hook(look) for module in groups]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _check_init(study: Study, model: str, norm: str, label: str, data: Data, traits: Traits) -> None:
    level = registry.initializers.level(label)
    network = _network(study, model, norm, data)
    if registry.initializers[level.family].function.__module__ != "bnstudy.training.networks.initializers":
        initialization.refuse_what_fills_otherwise(network, level, traits.layers)
    else:
        initialization.initialize(network, level, 0, order=traits.layers)
        initialization.refuse_not_finite(network, level)


@contextmanager
def told(model: str, norm: str, samples: int = 0) -> Iterator[None]:
    """An error of a network as an InputError that names the arm, and says where it was raised."""
    try:
        yield
    except InputError as error:
        told = error.problem if error.key == "norms" else f"{model!r} with norm {norm!r}: {error.problem}"
        raise InputError(told, error.key) from None
    except RAISED as error:
        raise InputError(
            f"{model!r} with norm {norm!r} fails on a batch of {samples} samples: {reason_of(error)}{raised_at(error)}",
            "models",
        ) from error


def _in_precision(network: nn.Module, dtype: torch.dtype) -> nn.Module:
    """Numbers of single precision in the one that is asked; what its author made of another kind stays so."""
    for tensor in (*network.parameters(), *network.buffers()):
        if tensor.dtype == torch.float32:
            tensor.data = tensor.data.to(dtype)
        elif tensor.dtype == torch.complex64:
            tensor.data = tensor.data.to(dtype.to_complex())
    return network
