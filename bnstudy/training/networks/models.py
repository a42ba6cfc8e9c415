"""Models: plain ``nn.Module``s that know nothing about replicas, built by one function each.

A model is one function ``(inputs, classes, blocks) -> nn.Module``. Its layers have names that are the same in every
arm, since a layer's name chooses the random stream of its weights.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bnstudy.study.errors import InputError, told_as
from bnstudy.study.registry import Level, activations, models, norms
from bnstudy.training.networks import initialization
from bnstudy.training.networks.norms import Slot

if TYPE_CHECKING:
    from torch import Tensor, nn

Shape = tuple[int, int, int]  # channels, height, width
Layers = list[tuple[str, "nn.Module | None"]]


USUAL_EPS, USUAL_MOMENTUM = 1e-5, 0.1  # PyTorch's, and a study's unless it says otherwise


@dataclass(frozen=True)
class Blocks:
    """What models are built from: the settings of a study for one arm.

    Attributes
    ----------
    norm : str
        The arm's norm.
    hidden, channels : tuple of int
        Widths of hidden layers, and channels of convolutions.
    kernel_size : int
        Side of the kernels, odd.
    activation : str
        Its name.
    norm_eps, norm_momentum : float
        What norms add to a variance, and the share of a batch in their running statistics.

    Examples
    --------
    >>> from torch import nn
    >>> from bnstudy.plugins import Blocks
    >>> [name for name, layer in Blocks(norm="batch").unit("linear", 1, nn.Linear(4, 3), spatial=0)]
    ['linear1', 'norm1', 'activation1']
    """

    norm: str = "none"
    hidden: tuple[int, ...] = (256, 128)
    channels: tuple[int, ...] = (4, 8)
    kernel_size: int = 3
    activation: str = "relu"
    norm_eps: float = USUAL_EPS
    norm_momentum: float = USUAL_MOMENTUM

    def unit(self, name: str, number: int, layer: nn.Linear | nn.Conv2d, spatial: int) -> Layers:
        """A weight layer, the arm's norm and the activation, in their order and with their names.

        Parameters
        ----------
        name, number : str, int
            The weight layer is called by both, as in ``conv1``; the others ``norm1`` and ``activation1``.
        layer : nn.Linear or nn.Conv2d
            The weight layer.
        spatial : int
            Dimensions of a feature map: 0 after a linear layer, 2 after a convolution over images.

        Returns
        -------
        list of (str, nn.Module or None)
            Names and layers, for :class:`torch.nn.Sequential`; None where there is nothing.
        """
        level = norms.level(self.norm)
        place = norms[level.family].about.get("place", "before")
        slot = Slot(layer, layer.weight.shape[0], spatial, self.norm_eps, self.norm_momentum)
        made = None if place == "branch" else self._norm(slot)
        norm, activation = (f"norm{number}", made), (f"activation{number}", activations[self.activation].function())
        if place == "weight":
            return [(f"{name}{number}", made), activation]
        return [(f"{name}{number}", layer), *([norm, activation] if place == "before" else [activation, norm])]

    def branch_end(self, channels: int, spatial: int) -> nn.Module | None:
        """What the arm puts at the end of a residual branch.

        Parameters
        ----------
        channels : int
            Of the branch.
        spatial : int
            Dimensions of a feature map: 0 after a linear layer, 2 after a convolution over images.

        Returns
        -------
        nn.Module or None
            None for most norms.
        """
        level = norms.level(self.norm)
        entry = norms[level.family]
        if entry.about.get("place") != "branch":
            return None
        return self._norm(Slot(None, channels, spatial, self.norm_eps, self.norm_momentum))

    def swap_norms(self, network: nn.Module, ends: Collection[str] = ()) -> nn.Module:
        """Put the arm's norm in place of every batch norm of a network; the layers keep their names.

        The arm ``batch`` keeps them as they are; ``none`` leaves nothing in their place. Another norm takes over a
        batch norm's eps, whether it scales and shifts, and with what values that begins. A study's `norm_eps` and
        `norm_momentum`, where they are not the usual ones, count before the network's own. Of an arm that ends residual
        branches only the batch norms called as in `ends` are replaced, and the others left out.

        Parameters
        ----------
        network : nn.Module
            Whose batch norms are replaced, in place.
        ends : collection of str
            Names of the batch norms that end residual branches, ``{"bn2"}`` for instance.

        Returns
        -------
        nn.Module
            The network.

        Raises
        ------
        InputError
            The arm's norm cannot stand there, the network has no batch norm, or one of a kind that cannot be replaced.
        """
        from torch import nn

        level = norms.level(self.norm)
        entry = norms[level.family]
        place = entry.about.get("place", "before")
        if place == "branch" and not ends:
            raise InputError(f"{self.norm!r} ends branches; say which batch norms do (swap_norms(…, ends=))", "norms")
        if place not in ("before", "branch"):
            raise InputError(f"{self.norm!r} cannot take the place of a batch norm in a network of its own", "norms")
        batch_norms = [(name, child) for name, child in network.named_modules(remove_duplicate=False)
                 if isinstance(child, nn.modules.batchnorm._BatchNorm)]  # fmt: skip
        if not batch_norms:
            raise InputError("the network has no batch norm whose place another norm could take", "models")
        if batch_norms[0][0] == "":
            raise InputError("the network is nothing but a batch norm; there is no place for another norm", "models")
        made: dict[int, nn.Module] = {}  # one that stands under two names is replaced by one
        for name, child in batch_norms:
            parent, _, last = name.rpartition(".")
            if id(child) not in made:
                is_left_out = place == "branch" and last not in ends
                made[id(child)] = nn.Identity() if is_left_out else self._in_place_of(name, child)
            network.get_submodule(parent)._modules[last] = made[id(child)]
        return network

    def _in_place_of(self, name: str, child: nn.Module) -> nn.Module:
        """The arm's norm in place of one batch norm."""
        import torch
        from torch import nn

        kinds = {nn.BatchNorm1d: 0, nn.BatchNorm2d: 2, nn.BatchNorm3d: 3, nn.LazyBatchNorm1d: 0, nn.LazyBatchNorm2d: 2,
                 nn.LazyBatchNorm3d: 3}  # fmt: skip
        level = norms.level(self.norm)
        lazy = isinstance(child, nn.modules.lazy.LazyModuleMixin) and child.has_uninitialized_params()
        assert isinstance(child, nn.modules.batchnorm._BatchNorm)
        if type(child) not in kinds:
            raise InputError(
                f"layer {name!r} is a {type(child).__name__}, which does more than a batch norm of PyTorch's: "
                "nobody can say what would stay without it; use nn.BatchNorm1d, 2d or 3d", "models",
            )  # fmt: skip
        if not lazy and any(getattr(child, hooks) for hooks in ("_forward_hooks", "_forward_pre_hooks")):
            raise InputError(f"layer {name!r} has hooks, which another norm would not have", "models")
        if self.norm_eps != USUAL_EPS:
            child.eps = self.norm_eps
        if self.norm_momentum != USUAL_MOMENTUM:
            child.momentum = self.norm_momentum
        if level.family == "batch":
            return child
        if lazy and level.family != "none":
            raise InputError(f"layer {name!r} is lazy: say its channels, for {self.norm!r} to take its place", "models")
        slot = Slot(
            None, child.num_features, kinds[type(child)], child.eps, child.momentum, child.affine,
            child.track_running_stats,
        )  # fmt: skip
        norm = self._norm(slot)
        if norm is None:
            return nn.Identity()
        with torch.no_grad():  # some networks begin a branch with scale 0
            for part in ("weight", "bias"):
                ours, theirs = getattr(norm, part, None), getattr(child, part, None)
                if isinstance(ours, torch.Tensor) and isinstance(theirs, torch.Tensor) and ours.shape == theirs.shape:
                    ours.copy_(theirs)
                    ours.requires_grad_(theirs.requires_grad)
        return norm

    def _norm(self, slot: Slot) -> nn.Module | None:
        """What the arm puts into a slot; what it draws does not move the draws of the layers after it."""
        from bnstudy.training import streams

        level = norms.level(self.norm)
        with streams.kept():
            streams.turn("norm", self.norm, slot.channels)
            return norms[level.family].function(slot, norms.value(level))


def _sequential(layers: Layers) -> nn.Module:
    from torch import nn

    return nn.Sequential(OrderedDict((name, layer) for name, layer in layers if layer is not None))


@models.register("mlp", label="MLP", has_space=False)
def mlp(inputs: Shape, classes: int, blocks: Blocks) -> nn.Module:
    """Linear-Norm-ReLU for each hidden width, then Linear."""
    from torch import nn

    layers: Layers = [("flatten", nn.Flatten())]
    width = inputs[0] * inputs[1] * inputs[2]
    for i, units in enumerate(blocks.hidden, start=1):
        layers += blocks.unit("linear", i, nn.Linear(width, units), spatial=0)
        width = units
    return _sequential([*layers, ("output", nn.Linear(width, classes))])


def _check_cnn(study: Any, inputs: Shape, level: Level) -> None:
    side = min(inputs[1:])
    if side >> len(level.widths or study.channels) == 0:
        most = side.bit_length() - 1
        raise InputError(f"images of {side} pixels can be halved {most} times: give at most {most} widths", "channels")
    if study.kernel_size % 2 == 0:
        raise InputError(f"must be odd, so that padding keeps the image size, not {study.kernel_size}", "kernel_size")


@models.register("cnn", label="CNN", check=_check_cnn)
def cnn(inputs: Shape, classes: int, blocks: Blocks) -> nn.Module:
    """Conv-Norm-ReLU-AvgPool for each width, then Reshape-Linear. Padding keeps the size; pooling halves it."""
    from torch import nn

    layers: Layers = []
    channels, height, width = inputs
    for i, filters in enumerate(blocks.channels, start=1):
        convolution = nn.Conv2d(channels, filters, blocks.kernel_size, padding=blocks.kernel_size // 2)
        layers += [*blocks.unit("conv", i, convolution, spatial=2), (f"pool{i}", nn.AvgPool2d(2))]
        channels, height, width = filters, height // 2, width // 2
    return _sequential([*layers, ("flatten", nn.Flatten()), ("output", nn.Linear(channels * height * width, classes))])


@models.register("residual-mlp", label="residual MLP", has_space=False, has_branches=True)
def residual_mlp(inputs: Shape, classes: int, blocks: Blocks) -> nn.Module:
    """Linear, then for each hidden width x + branch(x), then ReLU-Linear; a branch is Linear-Norm-ReLU-Linear.

    Where the width changes, a linear layer stands in the shortcut.
    """
    from torch import nn

    from bnstudy.training.networks.layers import Residual

    width = blocks.hidden[0]
    layers: Layers = [("flatten", nn.Flatten()), ("stem", nn.Linear(inputs[0] * inputs[1] * inputs[2], width))]
    for i, units in enumerate(blocks.hidden, start=1):
        inner = blocks.unit("linear", 1, nn.Linear(width, units), spatial=0)
        end = blocks.branch_end(units, spatial=0)
        branch = _sequential([*inner, ("linear2", nn.Linear(units, units)), ("end", end)])
        shortcut = nn.Linear(width, units, bias=False) if units != width else None
        layers.append((f"block{i}", Residual(branch, shortcut)))
        width = units
    last = ("activation", activations[blocks.activation].function())
    return _sequential([*layers, last, ("output", nn.Linear(width, classes))])


@activations.register("relu", label="ReLU")
def relu() -> nn.Module:
    """max(0, x)."""
    from torch import nn

    return nn.ReLU()


@activations.register("tanh", label="tanh")
def tanh() -> nn.Module:
    """The hyperbolic tangent."""
    from torch import nn

    return nn.Tanh()


@activations.register("sigmoid", label="sigmoid")
def sigmoid() -> nn.Module:
    """1/(1 + exp(-x))."""
    from torch import nn

    return nn.Sigmoid()


@activations.register("gelu", label="GELU")
def gelu() -> nn.Module:
    """x times the normal distribution function of x."""
    from torch import nn

    return nn.GELU()


def build(model: str, norm: str, settings: Any, inputs: Shape, classes: int, seed: int = 0) -> nn.Module:
    """The plain network of one arm, as its own code makes it.

    Parameters
    ----------
    model, norm : str
        Levels of the two factors; a model's own widths and activation count before the study's, of which the first
        counts.
    settings : Study
        Where `hidden`, `channels`, `kernel_size`, `activation`, `norm_eps` and `norm_momentum` are read.
    inputs : tuple of int
        Channels, height and width of a sample.
    classes : int
        Number of outputs.
    seed : int
        Of the run: what the code draws (the first values of what no initializer sets) comes from the stream
        ``("network", seed)``, and is the same in both arms.

    Raises
    ------
    InputError
        The model's function raises, or gives no module; the message says where.
    """
    from torch import nn

    from bnstudy.training import streams

    level = models.level(model)
    blocks = Blocks(
        norm, level.widths or settings.hidden, level.widths or settings.channels, settings.kernel_size,
        level.activation or settings.activation[0], settings.norm_eps, settings.norm_momentum,
    )  # fmt: skip
    with streams.kept():
        streams.turn("network", seed)
        with told_as(f"{model!r} with norm {norm!r} cannot be built", "models"):
            network = models[level.family].function(inputs, classes, blocks)
            if not isinstance(network, nn.Module):
                raise TypeError(f"it gives a {type(network).__name__}, not a torch.nn.Module")
            _materialize(network, inputs)
    return network


def _materialize(network: nn.Module, inputs: Shape) -> None:
    """Let lazy layers learn their sizes from a batch of zeros, which changes nothing else."""
    import torch
    from torch.nn.parameter import is_lazy

    tensors = [*network.parameters(), *network.buffers()]
    if not any(map(is_lazy, tensors)):
        return
    before = [(tensor, tensor.detach().clone()) for tensor in tensors if not is_lazy(tensor)]
    modes = [(module, module.training) for module in network.modules()]
    usual = [module for module, _ in modes if not any(map(is_lazy, _own_tensors(module)))]
    with torch.no_grad():
        remembered = initialization.remember(usual)
        network.eval()
        network(torch.zeros(2, *inputs))
        initialization.recall(remembered)
        for module, training in modes:
            module.training = training
        for tensor, value in before:
            tensor.copy_(value)


def _own_tensors(module: nn.Module) -> list[Tensor]:
    own = [*module._parameters.values(), *module._buffers.values()]
    return [tensor for tensor in own if tensor is not None]
