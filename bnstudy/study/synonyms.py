"""What somebody meant by a word that is not there: another word for the same, else one spelled nearly so."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

NEAR = 0.66  # of difflib: two letters exchanged in a word of three; less is another word
# What is here under another name; a word may stand for several, of which one is there.
ALSO_CALLED = {
    # factors and settings of a study
    "models": "model architecture architectures network networks net nets arch",
    "norms": "norm normalization normalizations normalisation norm-layer norm-layers bn batch-norm batchnorm",
    "inits": "init initialization initializations initialisation initializer initializers initialiser initialisers "
    "weight-init",
    "scales": "scale init-scale init-scales weight-scale weight-scales gain gains",
    "optimizers": "optimizer optimiser optimisers optim opt",
    "lr": "lrs learning-rate learning-rates learningrate rate rates step-size eta",
    "batch-size": "batch batches batchsize batch-sizes bs mini-batch minibatch",
    "weight-decay": "wd decay weight-decays l2 l2-penalty",
    "activation": "activations act nonlinearity non-linearity activation-function activation-functions",
    "seeds": "seed n-seeds num-seeds repeats repetitions trials replicates runs n-runs",
    "epochs": "epoch n-epochs num-epochs max-epochs",
    "dataset": "data data-set datasets data-name",
    "input-scaling": "scaling standardize preprocessing",
    "hidden": "width widths hidden-size hidden-sizes hidden-layers hidden-units layers units",
    "channels": "filters n-channels",
    "kernel-size": "kernel kernels filter-size",
    "norm-eps": "eps epsilon bn-eps",
    "norm-momentum": "bn-momentum",
    "init-scope": "scope",
    "train-size": "n-train samples n-samples train-samples subset",
    "validation-size": "val val-size val-split validation validation-split holdout",
    "target-accuracy": "target threshold target-acc",
    "treatment": "treat treated intervention",
    "control": "untreated",
    "reference": "ref",
    "looks": "look interim interim-looks",
    "mainly-times": "times k",
    "margin": "delta equivalence-margin",
    "alpha": "significance significance-level sig-level",
    # how something is run and written
    "name": "title study-name label",
    "out": "output outdir out-dir output-dir output-folder output-file folder dir directory save-dir target-dir",
    "data-dir": "data-folder data-path data-root datadir root",
    "device": "gpu cuda cpu accelerator",
    "jobs": "workers n-jobs num-workers n-workers processes cores cpus threads parallel",
    "shard": "part partition split",
    "scheduler": "dask cluster",
    "dry-run": "dryrun preview pretend no-run",
    "quiet": "silent no-progress",
    "format": "form file-format output-format",
    "force": "overwrite replace",
    "step": "epoch epochs iteration time round",
    "value": "metric score y",
    "seed": "seeds pair block",
    "lower-is-better": "minimize minimise loss is-loss",
    "by": "group group-by groupby facet",
    "figure": "plot", "figures": "plots plot figs draw",
    "report": "html page",
    # entries of registries
    "none": "no off identity plain nothing",
    "layer": "ln layernorm layer-norm",
    "group": "gn groupnorm group-norm",
    "instance": "in instancenorm instance-norm",
    "rms": "rmsnorm rms-norm",
    "zero": "zeros",
    "xavier": "glorot xavier-normal glorot-normal",
    "scaled-normal": "he kaiming he-normal kaiming-normal msra",
    "default": "pytorch kaiming-uniform",
    "mlp": "fc fcn dense linear perceptron fully-connected",
    "cnn": "conv convnet conv-net lenet",
    "sgd": "momentum sgdm sgd-momentum",
    "fashion-mnist": "fashion fmnist fashionmnist",
    "digits": "sklearn sklearn-digits",
    # commands
    "run": "train start resume fit execute",
    "init-sweep": "sweep grid",
    "analyze": "analyse results answer show evaluate",
    "verify": "check validate",
    "export": "csv save",
    "judge": "compare external",
    "plan": "estimate cost",
}  # fmt: skip
# What is near to a word here in its letters alone: things of their own, which there are not.
OTHERS = ["adamax", "nadam", "radam", "adagrad", "adadelta", "rmsprop", "test-size", "test-accuracy", "cifar", "emnist"]
MEANINGS = {target: words.split() for target, words in ALSO_CALLED.items()}


def meant(word: str, there: Iterable[str]) -> str:
    """What of `there` somebody meant by a word; empty where nothing of it means that."""
    names = {_plain(name): name for name in there}
    asked = _plain(word)
    if asked in names:
        return names[asked]
    for target, words in MEANINGS.items():
        if target in names and asked in words:
            return names[target]
    if asked in OTHERS:
        return ""
    close = difflib.get_close_matches(asked, names, n=1, cutoff=NEAR)
    return names[close[0]] if close else ""


def hint(word: str, there: Iterable[str], else_told: str = "") -> str:
    """``did you mean 'epochs'?``, or what else is told where nothing was meant."""
    named = meant(word, there)
    return f"did you mean {named!r}?" if named else else_told


def _plain(word: str) -> str:
    return word.strip().lower().lstrip("-").replace("_", "-")
