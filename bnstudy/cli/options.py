"""Options that several commands share: each study key is an option of the same name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Annotated, Any, NamedTuple, get_type_hints

import typer

from bnstudy.cli.completion import complete_folder, complete_study, completer
from bnstudy.study.errors import InputError
from bnstudy.study.factors import FACTORS

VARIED, ASKED, MODEL, TRAINING, RUNNING = "Factors", "Question", "Model and data", "Training", "Running"

# study key: (panel, how the value is written, help)
STUDY_OPTIONS: dict[str, tuple[str, str, str]] = {
    **{factor.key: (VARIED, factor.metavar, factor.help) for factor in FACTORS},
    "seeds": (VARIED, "COUNT|LIST", "How many seeds, or which, such as 0,3,7."),
    "treatment": (ASKED, "FACTOR", "The factor whose effect is asked about."),
    "control": (ASKED, "LEVEL", "Its level that the others are compared with; of the norms none by default."),
    "condition": (ASKED, "FACTOR", "The factor under whose poor levels it may matter."),
    "reference": (ASKED, "LEVEL", "Its good level that the poor are compared with; the first good one by default."),
    "looks": (ASKED, "COUNTS", "Numbers of seeds at which results are looked at, such as 10,20; none by default."),
    "mainly_times": (ASKED, "X", "Times the gain at the reference for the word mainly."),
    "margin": (ASKED, "X", "Halvings of the error within which a gain counts as none."),
    "alpha": (ASKED, "X", "Share of studies that may hold a false word."),
    "dataset": (MODEL, "NAME", "Data set; `bnstudy list datasets` shows them."),
    "input_scaling": (MODEL, "standardize|unit", "Pixels: mean 0 and deviation 1, or 0 to 1."),
    "hidden": (MODEL, "WIDTHS", "Hidden widths of the MLP."),
    "channels": (MODEL, "WIDTHS", "Channels of the CNN's convolutions."),
    "kernel_size": (MODEL, "N", "Side of the CNN's kernels, odd."),
    "norm_eps": (MODEL, "X", "What norms add to a variance."),
    "norm_momentum": (MODEL, "X", "Share of a batch in the running statistics of batch norms."),
    "init_scope": (MODEL, "all|hidden", "Layers the initializer touches; the rest keep PyTorch's default."),
    "epochs": (TRAINING, "N", "Epochs."),
    "momentum": (TRAINING, "X", "Momentum of sgd."),
    "train_size": (TRAINING, "N", "Use this many training samples; all by default."),
    "validation_size": (TRAINING, "N", "Hold out this many of them for validation."),
    "target_accuracy": (ASKED, "X", "Test accuracy whose first crossing is timed."),
}
STUDY_FLAGS = {
    "diagnostics": "Also look at every layer before the first epoch and after each: diagnostics.nc.",
    "mechanism": "Also measure sharpness and how far gradients can be trusted, there too; slow.",
}
SCALES = (VARIED, "NUMBERS", "One initializer scaled-normal:S for each S, such as 0.01,1,10.")

# What a study is that says nothing else, as an option would say it; told in the help alone.
DEFAULTS = {
    "models": "mlp,cnn", "norms": "none,batch", "optimizers": "sgd", "lr": "0.01", "batch_size": "100",
    "weight_decay": "0", "activation": "relu", "seeds": "10", "treatment": "norm", "condition": "init",
    "mainly_times": "2", "margin": "0.15", "alpha": "0.05", "dataset": "mnist", "input_scaling": "standardize",
    "hidden": "256,128", "channels": "4,8", "kernel_size": "3", "norm_eps": "1e-05", "norm_momentum": "0.1",
    "init_scope": "all", "epochs": "50", "momentum": "0.9", "validation_size": "0", "target_accuracy": "0.98",
}  # fmt: skip

# What is explained where an option or study key is wrong, and the error names nothing itself.
TOPICS = {
    "data_dir": "settings", "jobs": "settings", "device": "settings", "plugin": "own-initializer",
    "scheduler": "cluster", "shard": "cluster", "treatment": "treatment", "control": "control",
    "condition": "condition", "reference": "reference", "roles": "role", "looks": "looks", "margin": "margin",
    "mainly_times": "mainly_times", "alpha": "alpha", "predictions": "prediction",
}  # fmt: skip


def topic_of(error: InputError) -> str | None:
    """What `bnstudy explain` is to be asked about an error."""
    return error.topic or TOPICS.get(error.key or "")


def option_name(key: str) -> str:
    """The option of a study key: ``--batch-size`` for ``batch_size``."""
    return "--" + key.replace("_", "-")


def whole_number(text: str, key: str) -> int:
    """An option's text as a number; InputError names the option."""
    try:
        return int(text)
    except ValueError:
        raise InputError(f"must be a whole number, not {text[:60]!r}", key) from None


def study_options(
    *, running: bool = True, flags: bool = True, defaults: bool = True, keys: Iterable[str] = STUDY_OPTIONS
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorator: give a command the options of these study keys, and those that say how a study is run.

    With ``inits`` comes ``--scales``. The first arrive as one dict, ``settings``, of those that were given; the second
    as ``running``. The help tells the `defaults`, where what is not given takes them.
    """
    described: dict[str, tuple[str, str, str]] = {}
    for key in keys:
        described[key] = STUDY_OPTIONS[key]
        if key == "inits":
            described["scales"] = SCALES

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        def wrapper(**values: Any) -> None:
            settings = {key: values.pop(key) for key in described}
            for key in ("control", "reference"):  # of which the study itself takes an empty one for none
                if settings.get(key) is not None and not settings[key].strip():
                    raise InputError("is empty; name a level", key)
            settings |= {key: values.pop(key) or None for key in STUDY_FLAGS if flags}
            if running:
                values["running"] = Running(**{name: values.pop(name) for name in Running._fields})
            command(settings={key: text for key, text in settings.items() if text is not None}, **values)

        own = inspect.signature(command, eval_str=True).parameters.values()
        parameters = [p for p in own if p.name not in ("settings", "running")]
        parameters += [_parameter(key, *about, defaults) for key, about in described.items()]
        parameters += [_flag(key, text) for key, text in STUDY_FLAGS.items() if flags]
        if running:
            types = get_type_hints(Running, include_extras=True)
            parameters += [_keyword(name, types[name], Running._field_defaults[name]) for name in Running._fields]
        parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters]
        # Typer reads a command's options from these two.
        wrapper.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        wrapper.__annotations__ = {p.name: p.annotation for p in parameters}
        wrapper.__name__, wrapper.__doc__ = command.__name__, command.__doc__
        return wrapper

    return decorate


def _parameter(key: str, panel: str, metavar: str, text: str, defaults: bool) -> inspect.Parameter:
    if defaults and key in DEFAULTS:
        text = f"{text.removesuffix('.')}; {DEFAULTS[key]} by default."
    option = typer.Option(
        option_name(key),
        metavar=metavar,
        help=text,
        rich_help_panel=panel,
        show_default=False,
        autocompletion=completer(key),
    )
    return _keyword(key, Annotated[str | None, option], None)


def _flag(key: str, text: str) -> inspect.Parameter:
    option = typer.Option(option_name(key), help=text, rich_help_panel=TRAINING)
    return _keyword(key, Annotated[bool, option], False)


def _keyword(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


StudyFile = Annotated[
    str,
    typer.Argument(
        metavar="STUDY",
        help="A study file, or the name of one: `bnstudy list studies`.",
        show_default=False,
        autocompletion=complete_study,
    ),
]
StudyFolder = Annotated[
    str,
    typer.Argument(metavar="DIR", help="A study folder.", show_default=False, autocompletion=complete_folder),
]
Results = Annotated[
    str,
    typer.Argument(
        metavar="DIR", help="A study folder, or a netCDF file.", show_default=False, autocompletion=complete_folder
    ),
]
Name = Annotated[
    str | None,
    typer.Option(
        "--name", metavar="NAME", help="What the study is called; as its folder by default.", rich_help_panel=RUNNING
    ),
]
Out = Annotated[
    str | None,
    typer.Option("--out", metavar="DIR", help="Study folder; results/NAME by default.", rich_help_panel=RUNNING),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON alone.")]
DataDir = Annotated[
    str | None,
    typer.Option(
        "--data-dir",
        metavar="DIR",
        help="Where data sets lie; by default as your settings say, else your cache folder.",
        rich_help_panel=RUNNING,
    ),
]
Device = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="NAME",
        help="auto, cpu, cuda or cuda:N; by default as your settings say, else auto.",
        autocompletion=lambda: ["auto", "cpu", "cuda"],
        rich_help_panel=RUNNING,
    ),
]
Jobs = Annotated[
    str | None,
    typer.Option(
        "--jobs",
        metavar="N",
        help="Worker processes; by default as your settings say, else one a core.",
        rich_help_panel=RUNNING,
    ),
]
NoCompile = Annotated[
    bool,
    typer.Option("--no-compile", help="Build and use no code of bnstudy's own.", rich_help_panel=RUNNING),
]
AllowMixed = Annotated[
    bool,
    typer.Option(
        "--allow-mixed",
        help="Resume even where another device, kernel or other versions computed a part.",
        rich_help_panel=RUNNING,
    ),
]
Wait = Annotated[
    bool,
    typer.Option("--wait", help="Wait while another process is at work on the study.", rich_help_panel=RUNNING),
]
Shard = Annotated[
    str | None,
    typer.Option(
        "--shard", metavar="K/N", help="Train the K-th of N parts; `bnstudy merge` joins them.", rich_help_panel=RUNNING
    ),
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        metavar="ADDRESS",
        help="Send the ensembles to a dask.distributed scheduler, such as tcp://host:8786.",
        rich_help_panel=RUNNING,
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Write over files that are there.")]
Page = Annotated[
    str | None,
    typer.Option(
        "--report",
        metavar="FILE",
        help="Keep a page of what is there, which reloads itself while the study trains.",
        rich_help_panel=RUNNING,
    ),
]
TensorBoard = Annotated[
    str | None,
    typer.Option(
        "--tensorboard",
        metavar="DIR",
        help="Write TensorBoard's event files there, a run each, epoch by epoch.",
        rich_help_panel=RUNNING,
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show the plan, train nothing, write nothing.", rich_help_panel=RUNNING)
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.", rich_help_panel=RUNNING)]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="A line for each finished ensemble.", rich_help_panel=RUNNING)
]


class Running(NamedTuple):
    """How a study is run; none of it changes what is asked."""

    name: Name = None
    out: Out = None
    data_dir: DataDir = None
    device: Device = None
    jobs: Jobs = None
    shard: Shard = None
    scheduler: Scheduler = None
    no_compile: NoCompile = False
    allow_mixed: AllowMixed = False
    wait: Wait = False
    report: Page = None
    tensorboard: TensorBoard = None
    dry_run: DryRun = False
    quiet: Quiet = False
    verbose: Verbose = False
