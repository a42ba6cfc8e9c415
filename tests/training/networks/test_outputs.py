"""What a network gives as it begins: finite logits, as many as there are classes, or a line says what is wrong."""

from __future__ import annotations

import pytest
import torch
from bnstudy.study import registry
from bnstudy.study.errors import DataWarning, InputError
from bnstudy.study.study import Study
from bnstudy.training import assembly
from torch import nn


class Divided(nn.Linear):
    def forward(self, x):
        return super().forward(x) / 0.0


@pytest.mark.parametrize(("end", "told"), [
    (lambda: nn.Linear(64, 11), "it has 11 outputs, and there are 10 classes"),
    (lambda: nn.Linear(64, 9), "it has 9 outputs, and there are 10 classes"),
    (lambda: Divided(64, 10), r"its outputs are not finite for \d+ of \d+ samples as it begins"),
])  # fmt: skip
def test_what_could_not_learn_is_refused(end, told, digits, register):
    register(registry.models, "net")(lambda inputs, classes, blocks: nn.Sequential(nn.Flatten(), end()))
    with pytest.raises(InputError, match=told):
        assembly.check(Study.make({"dataset": "digits", "models": "net", "norms": "none"}), digits)


def test_a_bad_initializer_may_be_meant(digits, register):
    @register(registry.initializers, "huge")
    def huge(layer, value):
        layer.weight.fill_(1e30)

    assembly.check(Study.make({"dataset": "digits", "models": "mlp", "inits": "default,huge"}), digits)


def test_probabilities_are_told(digits, register):
    register(registry.models, "net")(
        lambda inputs, classes, blocks: nn.Sequential(nn.Flatten(), nn.Linear(64, classes), nn.Softmax(1))
    )
    with pytest.warns(DataWarning, match="'net' gives probabilities .* expects logits: leave its softmax out"):
        assembly.check(Study.make({"dataset": "digits", "models": "net", "norms": "none"}), digits)
    assert torch.is_grad_enabled()
