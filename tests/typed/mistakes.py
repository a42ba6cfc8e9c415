"""Mistakes that a checker of types has to see: one in each line that says so."""

import bnstudy
from bnstudy import plugins
from bnstudy.plugins import Layer, initializers


@initializers.register("mistaken", label="mistaken")
def mistaken(layer: Layer) -> None:
    """Nothing."""
    layer.weigth.zero_()  # mistake


mistaken("not a layer")  # mistake
bnstudy.Sutdy.make({})  # mistake
plugins.initialisers["zero"]  # mistake
study = bnstudy.Study.make({"epochs": 1})
bnstudy.run(study, job=2)  # mistake
bnstudy.Results(study)  # mistake
initializers.register("no label")  # mistake
