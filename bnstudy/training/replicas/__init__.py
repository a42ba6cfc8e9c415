"""Any ``nn.Module`` as R independent copies that train side by side.

Five forms, the fastest first: *lanes* (the replicas of a chain fill the vector registers of a CPU; needs a C++
compiler), *lanes by layer* (of a network with branches), *folded* (the replicas are channels), ``torch.func.vmap``, and
the reference, one replica after the other. The reference takes any network and defines what is right; another form is
taken only where it is faster, and was shown equal to it.
"""

from __future__ import annotations

from bnstudy.training.replicas.base import Part, Replicas
from bnstudy.training.replicas.choice import forms_for, refuse_unlike, replicate, structure
from bnstudy.training.replicas.equality import Trial
from bnstudy.training.replicas.folded import Folded
from bnstudy.training.replicas.lanes.by_layer import LanesByLayer
from bnstudy.training.replicas.lanes.lanes import Lanes
from bnstudy.training.replicas.reference import Reference
from bnstudy.training.replicas.traits import Traits, check_outputs, observe
from bnstudy.training.replicas.vmapped import Vmapped

__all__ = [
    "Folded", "Lanes", "LanesByLayer", "Part", "Reference", "Replicas", "Traits", "Trial", "Vmapped", "check_outputs",
    "forms_for", "observe", "refuse_unlike", "replicate", "structure",
]  # fmt: skip
