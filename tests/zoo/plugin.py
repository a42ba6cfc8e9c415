"""The zoo as a plugin: ``--plugin tests.zoo.plugin``."""

from __future__ import annotations

from bnstudy.study.registry import models

from tests.zoo.networks import NETWORKS

for name, function in NETWORKS.items():
    models.register(name, label=name)(function)
