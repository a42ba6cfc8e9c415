"""The command line: its commands, and how it ends."""

from __future__ import annotations

import functools
import io
import os
import sys
import traceback
import warnings
from contextlib import suppress
from typing import Annotated, Any, NoReturn

import typer

from bnstudy.cli import (
    analyze,
    baseline,
    completion,
    demo,
    doctor,
    explain,
    export,
    extend,
    figures,
    init_sweep,
    judge,
    merge,
    new,
    plan,
    preregister,
    probe,
    report,
    run,
    status,
    verify,
)  # fmt: skip
from bnstudy.cli import list as list_
from bnstudy.cli import open as open_
from bnstudy.cli.options import option_name, topic_of
from bnstudy.cli.suggestions import told
from bnstudy.study.errors import BnstudyError, DataWarning, InputError, one_line, raised_at, reason_of

app = typer.Typer(
    name="bnstudy",
    help="Does Batch Normalization matter only when the initialization is bad? Train a grid and see.",
    no_args_is_help=True,
    suggest_commands=False,  # suggestions.py does
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
# In the order in which ``--help`` lists them.
for name, command in (
    ("demo", demo.demo),
    ("baseline", baseline.baseline),
    ("init-sweep", init_sweep.init_sweep),
    ("run", run.run),
    ("new", new.new),
    ("plan", plan.plan),
    ("preregister", preregister.preregister),
    ("probe", probe.probe),
    ("extend", extend.extend),
    ("merge", merge.merge),
    ("status", status.status),
    ("verify", verify.verify),
    ("analyze", analyze.analyze),
    ("judge", judge.judge),
    ("figures", figures.figures),
    ("report", report.report),
    ("open", open_.open_page),
    ("export", export.export),
    ("list", list_.list_entries),
    ("explain", explain.explain),
    ("doctor", doctor.doctor),
):
    app.command(name)(command)


@functools.cache
def _commands() -> Any:
    """All commands, built once a process: a notebook or a test may call many."""
    return typer.main.get_command(app)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; errors are one line on standard error, with the exit codes the README lists."""
    warnings.showwarning = _show_warning  # type: ignore[assignment]
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # whatever a terminal cannot show, or a name holds
    if completion.ASKED in os.environ:
        completion.answer(_commands())
    try:
        rest = _load_plugins(sys.argv[1:] if arguments is None else arguments)
        code = _commands()(rest, prog_name="bnstudy", standalone_mode=False)
    except BnstudyError as error:
        _fail(_as_option(error) + _explained(error), error.exit_code)
    except typer.TyperException as error:
        text = " ".join(told(error).split())
        _fail(text[:1].lower() + text[1:] if text else "see bnstudy --help", error.exit_code)
    except SystemExit as error:
        if isinstance(error.__context__, BrokenPipeError):  # typer's own end
            _reader_gone()
        if _is_typers(error):
            sys.exit(error.code)
        # Of a user's function that nothing else has told of.
        _fail(f"a plugin ended the command: {reason_of(error)}{raised_at(error)}", 2)
    except typer.Abort:
        _fail("stopped", 130)
    except KeyboardInterrupt:
        _fail("stopped", 130)
    except BrokenPipeError:
        _reader_gone()
    except OSError as error:
        _fail(f"{error.filename or 'the disk'}: {(error.strerror or str(error)).lower()}", 2)
    sys.exit(code if isinstance(code, int) else 0)


def _reader_gone() -> NoReturn:
    """End without a word, and keep Python from complaining when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(0)


def _load_plugins(arguments: list[str]) -> list[str]:
    """Import what ``--plugin`` names, wherever it stands: all names must be known before a command is read."""
    rest, names = [], []
    given = iter(arguments)
    for argument in given:
        if argument == "--":
            rest += [argument, *given]
        elif argument == "--plugin":
            names.append(next(given, ""))
        elif argument.startswith("--plugin="):
            names.append(argument.partition("=")[2])
        else:
            rest.append(argument)
    if names:
        from bnstudy.study.registry import load_plugin

        sys.path.insert(0, os.getcwd())  # a module beside the user's files; workers get the same path
        for name in names:
            load_plugin(name)
    return rest


def _show_warning(message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: Any) -> None:
    """One line for what a user should know; what is for programmers as Python shows it."""
    with suppress(OSError):
        if issubclass(category, DataWarning):
            print(f"bnstudy: warning: {one_line(str(message))}", file=sys.stderr, flush=True)
        else:
            sys.stderr.write(warnings.formatwarning(message, category, filename, lineno))


def _fail(text: str, code: int) -> None:
    with suppress(OSError):
        print(f"bnstudy: {one_line(text)}", file=sys.stderr, flush=True)
    sys.exit(code)


def _as_option(error: BnstudyError) -> str:
    """The message, with the study key or setting it is about written as the option that sets it."""
    if isinstance(error, InputError) and error.key:
        return f"{option_name(error.key)}: {error.problem}"
    return str(error)


def _explained(error: BnstudyError) -> str:
    """Where more is said about an error, in its line."""
    topic = topic_of(error) if isinstance(error, InputError) else None
    return f" (`bnstudy explain {topic}` says more)" if topic else ""


def _is_typers(error: SystemExit) -> bool:
    """Whether Typer itself ended the command: it has installed completions, or answered a shell."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return str(frame.f_globals.get("__name__", "")).startswith("typer.")


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"bnstudy {version('bnstudy')}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    plugin: Annotated[
        list[str] | None,
        typer.Option(metavar="MODULE", help="A module of yours that registers entries; may stand anywhere."),
    ] = None,
) -> None:
    pass
