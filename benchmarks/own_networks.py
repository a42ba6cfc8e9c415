"""Networks as users bring them: LeNet-5 (LeCun et al. 1998) with average pooling, and a ResNet of three blocks."""

from __future__ import annotations

from bnstudy.plugins import models
from torch import Tensor, nn
from torch.nn import functional as F


@models.register("lenet-5", label="LeNet-5")
def lenet_5(inputs, classes, blocks):
    """LeNet-5 with sigmoids and average pooling, a norm before each sigmoid; of 28x28 pictures."""
    return blocks.swap_norms(
        nn.Sequential(
            *(nn.Conv2d(inputs[0], 6, 5), nn.BatchNorm2d(6), nn.Sigmoid(), nn.AvgPool2d(2)),
            *(nn.Conv2d(6, 16, 5), nn.BatchNorm2d(16), nn.Sigmoid(), nn.AvgPool2d(2), nn.Flatten()),
            *(nn.Linear(256, 120), nn.BatchNorm1d(120), nn.Sigmoid()),
            *(nn.Linear(120, 84), nn.BatchNorm1d(84), nn.Sigmoid(), nn.Linear(84, classes)),
        )
    )


class Block(nn.Module):
    """Two convolutions and what goes past them."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.past: nn.Module = nn.Identity()
        if stride > 1:
            self.past = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(y)) + self.past(x))


@models.register("small-resnet", label="small ResNet")
def small_resnet(inputs, classes, blocks):
    """Three residual blocks of 16, 32 and 64 channels."""
    return blocks.swap_norms(
        nn.Sequential(
            *(nn.Conv2d(inputs[0], 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()),
            *(Block(16, 16, 1), Block(16, 32, 2), Block(32, 64, 2)),
            *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, classes)),
        )
    )
