"""What models are built from: layers with the arm's norm and the activation, and norms put into ready networks."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bnstudy.study.errors import InputError
from bnstudy.study.registry import activations, norms
from bnstudy.training.networks.norms import Slot

if TYPE_CHECKING:
    from torch import nn

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
