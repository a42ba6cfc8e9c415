"""Single blocks of the kernel against PyTorch in double precision: each norm and sharing, forward and backward."""

from __future__ import annotations

import math

import pytest
import torch
from bnstudy.training.networks.layers import RootMeanSquare
from bnstudy.training.replicas.lanes import kernel, lanes
from bnstudy.training.replicas.lanes.layout import ACTIVATIONS, GROUPED, NONE, OWN, SHARED
from torch import Tensor, nn
from torch.nn import functional as F

from tests.pairs import pairs

DOUBLE, EPS = torch.float64, 1e-5
FOLLOWING = {"none": nn.Identity, "relu": nn.ReLU, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh}
NORMS = ("none", "batch", "group", "root-mean-square")
SHAPES = [  # samples, height, width, inputs, outputs, side of the kernel, stride, padding
    (3, 6, 4, 1, 4, 3, 1, 1), (2, 5, 7, 3, 2, 3, 1, 1), (2, 4, 4, 2, 6, 5, 1, 2), (4, 3, 3, 5, 8, 1, 1, 0),
    (1, 1, 9, 7, 4, 1, 1, 0), (2, 8, 7, 1, 6, 5, 1, 0), (2, 9, 8, 3, 4, 3, 2, 1), (2, 7, 9, 2, 4, 4, 3, 1),
    (2, 6, 5, 3, 2, 3, 1, 4), (3, 6, 6, 2, 4, 1, 2, 0), (1, 11, 12, 2, 6, 7, 2, 3), (2, 5, 6, 1, 4, 2, 3, 2),
    (37, 2, 2, 6, 10, 3, 1, 1), (9, 4, 4, 3, 14, 3, 2, 1), (5, 1, 1, 4, 8, 3, 1, 1), (6, 2, 3, 2, 4, 2, 1, 3),
]  # fmt: skip
needs_kernel = pytest.mark.skipif(lanes.load() is None, reason="no kernel here")


class Case:
    """A block with random tensors, and what PyTorch makes of each replica of it."""

    def __init__(self, shape, norm: str, sharing: int, activation: str, pool: int, keep: bool, packs: int = 2) -> None:
        found = lanes.load()
        assert found
        self.library, self.norm, self.pool, self.sharing = found.library, norm, pool, sharing
        self.activation = FOLLOWING[activation]()
        draw = torch.Generator().manual_seed(sum(shape))
        samples, height, width, inputs, outputs, side, self.stride, self.padding = shape
        rows, columns = ((size + 2 * self.padding - side) // self.stride + 1 for size in (height, width))
        self.lanes = found.lanes(DOUBLE)
        self.replicas = packs * self.lanes
        self.group = (torch.arange(self.replicas) % 3).int()
        image = (samples, height, width, inputs)
        stacked = {OWN: (self.replicas, *image), SHARED: image, GROUPED: (3, *image)}[sharing]
        self.x = torch.randn(stacked, generator=draw, dtype=DOUBLE)
        self.weight = torch.randn(side, side, inputs, outputs, self.replicas, generator=draw, dtype=DOUBLE)
        self.bias, self.gamma, self.beta = torch.randn(3, outputs, self.replicas, generator=draw, dtype=DOUBLE)
        self.out_shape = (packs, samples, rows // pool, columns // pool, outputs, self.lanes)
        self.gradient = torch.randn(self.out_shape, generator=draw, dtype=DOUBLE)
        self.block = kernel.Block(*shape, ACTIVATIONS.get(type(self.activation), NONE), pool, sharing)
        self.block.group, self.block.eps, self.block.packs = self.group.data_ptr(), EPS, packs
        self.block.groups, self.block.centred = {"group": (2, 1), "root-mean-square": (1, 0)}.get(norm, (0, 0))
        self.kept = None
        if keep and (norm != "none" or activation in ("sigmoid", "tanh")):
            self.kept = torch.empty(packs, samples, rows, columns, outputs, self.lanes, dtype=DOUBLE)
        elif norm == "none" and activation == "relu":
            words = -(-outputs // (32 // pool**2))
            self.kept = torch.empty(*self.out_shape[:4], words, self.lanes, dtype=torch.int64)

    def by_kernel(self) -> dict[str, Tensor]:
        """Outputs, statistics and gradients of the kernel."""
        normed = self.norm != "none"
        statistics = [torch.empty_like(self.gamma) if self.norm == "batch" else None for _ in range(2)]
        norm = kernel.Norm(*map(kernel.address, (self.gamma, self.beta, *statistics))) if normed else kernel.Norm()
        x = _in_packs(self.x, self.lanes) if self.sharing == OWN else self.x
        out = torch.empty(self.out_shape, dtype=DOUBLE)
        needed = (self.block, norm, x, self.weight, self.bias, self.kept)
        kernel.call(self.library, "forward", DOUBLE, *needed, out)
        dx = torch.empty_like(x) if self.sharing == OWN else None
        gradients = {"weight": torch.empty_like(self.weight), "bias": torch.empty_like(self.bias)}
        if normed:
            gradients |= {"gamma": torch.empty_like(self.gamma), "beta": torch.empty_like(self.beta)}
        others = [gradients.get(name) for name in ("gamma", "beta")]
        first = (gradients["weight"], gradients["bias"])
        kernel.call(self.library, "backward", DOUBLE, *needed, self.gradient, dx, *first, *others)
        found = {"out": out, **gradients}
        if self.norm == "batch":
            found |= {"mean": statistics[0], "variance": statistics[1]}
        return found | ({} if dx is None else {"x": dx})

    def by_torch(self) -> dict[str, Tensor]:
        """The same, a replica at a time."""
        every = [self._one(replica) for replica in range(self.replicas)]
        found = {name: torch.stack([one[name] for one in every], -1) for name in every[0]}
        for name in ("out", "x"):
            if name in found:
                found[name] = _in_packs(found[name].movedim(-1, 0), self.lanes)
        return found

    def _one(self, replica: int) -> dict[str, Tensor]:
        x = {OWN: self.x, GROUPED: self.x}.get(self.sharing)
        x = self.x if x is None else x[replica if self.sharing == OWN else int(self.group[replica])]
        leaves = {"x": x, "weight": self.weight[..., replica], "bias": self.bias[:, replica]}
        if self.norm != "none":
            leaves |= {"gamma": self.gamma[:, replica], "beta": self.beta[:, replica]}
        leaves = {name: values.detach().clone().requires_grad_() for name, values in leaves.items()}
        weight = leaves["weight"].permute(3, 2, 0, 1)
        y = F.conv2d(leaves["x"].permute(0, 3, 1, 2), weight, leaves["bias"], self.stride, self.padding)
        found = {}
        if self.norm == "batch":
            found = {"mean": y.detach().mean((0, 2, 3)), "variance": y.detach().var((0, 2, 3), correction=0)}
            y = F.batch_norm(y, None, None, leaves["gamma"], leaves["beta"], training=True, eps=EPS)
        elif self.norm == "group":
            y = F.group_norm(y, 2, leaves["gamma"], leaves["beta"], EPS)
        elif self.norm == "root-mean-square":
            scale, shift = (leaves[name].view(-1, 1, 1) for name in ("gamma", "beta"))
            y = RootMeanSquare(y.shape[1], EPS, affine=False)(y) * scale + shift
        y = self.activation(y)
        out = (F.avg_pool2d(y, self.pool) if self.pool > 1 else y).permute(0, 2, 3, 1)
        pack, lane = divmod(replica, self.lanes)
        (out * self.gradient[pack, ..., lane]).sum().backward()
        found["out"] = out.detach()
        wanted = [name for name in leaves if name != "x" or self.sharing == OWN]
        return found | {name: leaves[name].grad for name in wanted}


def _in_packs(values: Tensor, wide: int) -> Tensor:
    """(replica, ...) as (pack, ..., lane)."""
    return values.unflatten(0, (-1, wide)).movedim(1, -1).contiguous()


@needs_kernel
@pytest.mark.parametrize(
    ("shape", "norm", "sharing", "activation", "pool", "keep"),
    pairs(SHAPES, list(NORMS), [OWN, SHARED, GROUPED], list(FOLLOWING), [1, 2], [False, True]),
)
def test_a_block_computes_what_torch_does(shape, norm, sharing, activation, pool, keep):
    if pool > min(shape[1:3]):
        pool = 1
    case = Case(shape, norm, sharing, activation, pool, keep)
    found, wanted = case.by_kernel(), case.by_torch()
    assert found.keys() == wanted.keys()
    for name, values in wanted.items():
        scale = max(1.0, float(values.abs().max()))
        assert float((found[name] - values).abs().max()) < 1e-10 * scale * math.sqrt(case.x.numel()), name


@needs_kernel
@pytest.mark.parametrize(("norm", "activation"), pairs(list(NORMS), list(FOLLOWING)))
def test_a_lane_of_nan_leaves_the_others_as_they_are(norm, activation):
    case = Case(SHAPES[0], norm, SHARED, activation, pool=2, keep=True)
    before = case.by_kernel()
    case.weight[..., 1] = torch.nan
    after = case.by_kernel()
    others = [lane for lane in range(case.lanes) if lane != 1]
    for name, values in before.items():
        assert torch.equal(after[name][..., others], values[..., others]), name
    assert after["out"][0, ..., 1].isnan().all()


@needs_kernel
@pytest.mark.parametrize("kind", [nn.Sigmoid, nn.Tanh])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 4e-7), (DOUBLE, 8e-16)])
def test_smooth_activations_are_right_to_their_last_digits(kind, dtype, tolerance):
    """Of tiny values too: networks that start far too small live on them."""
    sizes = 10.0 ** torch.linspace(-30, 2, 4000, dtype=DOUBLE)
    special = torch.tensor([0.0, math.inf, -math.inf, math.nan], dtype=DOUBLE)
    x = torch.cat([-sizes, sizes, torch.linspace(-20, 20, 4000, dtype=DOUBLE), special]).to(dtype)
    found, wanted = _alone(kind, x), kind()(x.double())
    least = 10 * torch.finfo(dtype).smallest_normal  # beyond it e^x is cut off
    assert torch.allclose(found.double(), wanted, rtol=tolerance, atol=least, equal_nan=True)


def _alone(kind: type[nn.Module], x: Tensor) -> Tensor:
    """What a block makes of numbers that nothing else is done to."""
    found = lanes.load()
    assert found
    wide = found.lanes(x.dtype)
    block = kernel.Block(1, 1, len(x), 0, 1, 1, 1, 0, ACTIVATIONS[kind], 1, OWN, given=1)
    block.packs = 1
    given = x[:, None].repeat(1, wide)
    out = torch.empty_like(given)
    kernel.call(found.library, "forward", x.dtype, block, kernel.Norm(), None, None, None, given, out)
    assert all(torch.equal(out[:, 0].nan_to_num(7), column.nan_to_num(7)) for column in out.T)
    return out[:, 0]


@needs_kernel
def test_structures_of_another_size_are_told(monkeypatch):
    found = lanes.load()
    assert found
    assert kernel.different_structures(found.library) == ""

    longer = type("Norm", (kernel.Norm,), {"_fields_": [("more", kernel.c_void_p)]})
    monkeypatch.setattr(kernel, "Norm", longer)
    assert kernel.different_structures(found.library) == "Norm"
