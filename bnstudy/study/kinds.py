"""What each kind of entry is, told to those who add one: the docstrings of the registries."""

from __future__ import annotations

INITIALIZERS = """Initializers, by name: how the weights of a layer begin.

An initializer is a function ``(layer, value)`` that fills ``layer.weight`` in place; a linear or convolution layer's
bias is zero already. It draws from ``layer.generator``, which belongs to the run's seed and the layer's name, so that
both arms draw the same. ``register`` takes ``role`` too, ``"well"`` or ``"poor"`` (the default): what the level is
declared as where a study says nothing.

See Also
--------
bnstudy.plugins.Parameter : The value that a level may carry.

Examples
--------
>>> from bnstudy.plugins import Parameter, initializers
>>> @initializers.register("two-point", label="two-point", parameter=Parameter("a", default=0.1))
... def two_point(layer, a):
...     '''Every weight +a or -a, with equal chances.'''
...     layer.weight.bernoulli_(0.5, generator=layer.generator).mul_(2 * a).sub_(a)
>>> initializers["two-point"].summary
'Every weight +a or -a, with equal chances.'
>>> initializers.level("two-point:0.20").label
'two-point:0.2'
"""

NORMS = """Normalization layers, by name: what may stand between a weight layer and its activation.

A norm is a function ``(slot, value)`` that gives a layer, or None for none. The slot says what it normalizes:
``slot.channels``, ``slot.spatial`` (0 after a linear layer, 2 for images), ``slot.eps``, ``slot.momentum`` and
``slot.affine``. ``register`` takes ``place="after"`` for a norm that goes behind the activation, and
``needs_space=True`` for one that takes feature maps alone.

Examples
--------
>>> from bnstudy.plugins import norms
>>> from torch import nn
>>> @norms.register("local-response", label="Local Response Normalization", needs_space=True)
... def local_response(slot, value=None):
...     '''Krizhevsky's norm across neighbouring channels.'''
...     return nn.LocalResponseNorm(size=2)
>>> "local-response" in norms
True
"""

MODELS = """Models, by name: the networks that are trained.

A model is a function ``(inputs, classes, blocks)`` that gives a network, for images of the shape ``inputs`` (channels,
height, width). It asks ``blocks`` for weight layers with the arm's norm and activation, or builds any network and lets
``blocks.swap_norms`` put the arm's norm in the place of every batch norm.

Examples
--------
>>> from bnstudy.plugins import models
>>> from torch import nn
>>> @models.register("shallow", label="One hidden layer")
... def shallow(inputs, classes, blocks):
...     '''An MLP of one hidden layer.'''
...     channels, height, width = inputs
...     first = nn.Linear(channels * height * width, 32)
...     network = nn.Sequential(nn.Flatten(), first, nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, classes))
...     return blocks.swap_norms(network)
>>> models.level("mlp:64x8:tanh").widths
(64, 64, 64, 64, 64, 64, 64, 64)
"""

ACTIVATIONS = """Activation functions, by name; one is a function without arguments that gives a layer.

Examples
--------
>>> from bnstudy.plugins import activations
>>> from torch import nn
>>> @activations.register("elu", label="ELU")
... def elu():
...     '''Exponential linear units.'''
...     return nn.ELU()
>>> "elu" in activations
True
"""

OPTIMIZERS = """Optimizers, by name: how gradients change the parameters.

An optimizer is a function ``(parameters, lr, momentum, weight_decay)`` that gives a function ``step()``. Every
parameter has R runs, which train together, as its first axis; ``lr`` holds a rate for each, float64 of shape (R,).
``step()`` changes the parameters in place and value by value, so that no run reaches another; a parameter whose
gradient is None is passed over.

Examples
--------
>>> from bnstudy.plugins import optimizers
>>> @optimizers.register("sign-sgd", label="sign SGD")
... def sign_sgd(parameters, lr, momentum, weight_decay):
...     '''A step of the same size for every weight.'''
...     def step():
...         for p in parameters:
...             if p.grad is not None:
...                 rates = lr.to(p.dtype).reshape(-1, *[1] * (p.dim() - 1))
...                 p.data.sub_(rates * p.grad.sign())
...     return step
>>> optimizers["sign-sgd"].label
'sign SGD'
"""

DATASETS = """Data sets, by name.

Data of your own are registered by `register_arrays`, `register_npz` and `register_image_folder`. What is known of a
data set without loading it stands in its entry's ``about``: ``shape``, ``classes``, ``train_size``, ``test_size``.

Examples
--------
>>> from bnstudy.plugins import datasets
>>> digits = datasets["digits"].about
>>> digits["shape"], digits["classes"], digits["train_size"]
((1, 8, 8), 10, 1437)
"""

FIGURES = """Figures, by name: what ``bnstudy figures`` draws of a study.

A figure is a function ``(results, ax=None)`` that gives a matplotlib figure: one of its own, or that of `ax`, in whose
place it draws. ``register`` takes ``caption``, what it shows, and ``applies``, a function of results that says whether
it can be drawn.

See Also
--------
bnstudy.Results : What a figure is drawn from.

Examples
--------
>>> from bnstudy.plugins import figures
>>> from matplotlib.figure import Figure
>>> @figures.register("end", label="Final accuracy", caption="A dot a run.", applies=lambda results: True)
... def end(results, ax=None):
...     '''The accuracy at the end, run by run.'''
...     ax = ax if ax is not None else Figure().add_subplot()
...     ax.plot(results.dataset.test_accuracy.isel(epoch=-1).values.ravel(), ".")
...     return ax.figure
>>> figures["end"].about["caption"]
'A dot a run.'
"""
