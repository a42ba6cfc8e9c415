"""Study files to begin with, a question each: complete, commented, and small enough to be tried."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Start:
    """A question, and what its study file says of treatment, condition and the factors that it varies."""

    question: str
    asked: str


BN = """\
treatment = "norm"       # the factor whose effect is asked about
control = "none"         # its level that the others are compared with
norms = ["none", "batch"]

"""
START = {
    "init": Start(
        "Does Batch Normalization matter mainly where the initialization is bad?",
        BN
        + """\
condition = "init"       # the factor under whose poor levels it may matter
reference = "default"    # its good level, which the poor ones are compared with
inits = ["default", "zero", "large-variance"]  # `bnstudy list inits` shows all
scales = [0.01, 1, 10]   # one more init each: He's deviation times 0.01, 1 and 10
# roles = { "scaled-normal:1" = "well" }       # what is well or poor, where it is another than usual
""",
    ),
    "norms": Start(
        "At bad initializations, does any normalization help as Batch Normalization does?",
        """\
treatment = "norm"       # the factor whose effect is asked about
control = "none"         # its level that the others are compared with, one by one
norms = ["none", "batch", "layer", "group", "rms"]  # `bnstudy list norms` shows all

condition = "init"       # the factor under whose poor levels it may matter
reference = "default"    # its good level, which the poor ones are compared with
inits = ["default", "dead-biases"]
scales = [0.01, 10]      # one more init each: He's deviation times 0.01 and 10
""",
    ),
    "optimizer": Start(
        "Does Adam matter mainly where the initialization is bad?",
        """\
treatment = "optimizer"  # the factor whose effect is asked about
control = "sgd"          # its level that the others are compared with
optimizers = ["sgd", "adam"]  # `bnstudy list optimizers` shows all
norms = ["none"]
lr = 0.001               # of both; a list makes it a factor

condition = "init"       # the factor under whose poor levels it may matter
reference = "default"    # its good level, which the poor ones are compared with
inits = ["default", "zero"]
scales = [0.01, 10]      # one more init each: He's deviation times 0.01 and 10
""",
    ),
    "lr": Start(
        "Does Batch Normalization matter mainly where the learning rate is bad?",
        BN
        + """\
condition = "lr"         # the factor under whose poor levels it may matter
reference = "0.01"       # its good level, which the poor ones are compared with
lr = [0.0001, 0.001, 0.01, 0.1, 1.0]
inits = ["default"]
""",
    ),
    "batch-size": Start(
        "Does Batch Normalization matter less where batches are small?",
        BN
        + """\
condition = "batch_size" # the factor under whose poor levels it may matter
reference = "100"        # its good level, which the poor ones are compared with
batch_size = [2, 4, 10, 100]
inits = ["default"]
""",
    ),
    "depth": Start(
        "Does Batch Normalization matter mainly where networks are deep?",
        BN
        + """\
condition = "model"      # the factor under whose poor levels it may matter
reference = "mlp:64x2"   # its good level, which the poor ones are compared with: two hidden layers of 64 units
models = ["mlp:64x2", "mlp:64x8", "mlp:64x16"]
inits = ["default"]
""",
    ),
    "activation": Start(
        "Does Batch Normalization matter mainly with activations that saturate?",
        BN
        + """\
condition = "activation" # the factor under whose poor levels it may matter
reference = "relu"       # its good level, which the poor ones are compared with
activation = ["relu", "tanh", "sigmoid"]
inits = ["default"]
""",
    ),
    "weight-decay": Start(
        "Does Batch Normalization matter mainly where the weight decay is large?",
        BN
        + """\
condition = "weight_decay"  # the factor under whose poor levels it may matter
reference = "0"             # its good level, which the poor ones are compared with
weight_decay = [0, 0.001, 0.01, 0.1]
inits = ["default"]
""",
    ),
}


def study_file(name: str, question: str, dataset: str) -> str:
    """The text of a study file; `question` is one of :data:`START`."""
    start = START[question]
    models = "" if "\nmodels = " in start.asked else 'models = ["mlp"]         # `bnstudy list models` shows all\n'
    return f"""\
# `bnstudy plan {name}.toml` says what this would run and what its seeds can show, `bnstudy run {name}.toml` runs it.
name = "{name}"  # results go to results/{name}
question = "{start.question}"

{start.asked}
{models}dataset = "{dataset}"  # `bnstudy list datasets` shows all
seeds = 10               # paired: both arms of a seed see the same batches
epochs = 20

# By what it is judged; part of the study's hash.
mainly_times = 2.0       # times the gain at the reference for the word mainly
margin = 0.15            # halvings of the error within which a gain counts as none
alpha = 0.05             # share of studies that may hold a false word

# What you expect, before it runs; `bnstudy analyze` says what held.
# [[predictions]]
# text = "In one sentence."
# expect = {{ condition = "LEVEL", verdict = ["mainly", "more"] }}    # or sign; also model, setting, treatment
"""
