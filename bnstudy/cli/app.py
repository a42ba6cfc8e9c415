"""The command line: its commands, and how it ends."""

from __future__ import annotations

import functools
import io
import logging
import os
import sys
import threading
import traceback
import warnings
from typing import Annotated, Any

import typer

from bnstudy.cli import (
    analyze,
    baseline,
    completion,
    demo,
    doctor,
    ending,
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
from bnstudy.cli.ending import fail
from bnstudy.cli.options import option_name, topic_of
from bnstudy.cli.suggestions import told
from bnstudy.cli.terminal import prints_aside
from bnstudy.study.errors import BnstudyError, InputError, raised_at, reason_of

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
    before = warnings.showwarning, threading.excepthook, sys.unraisablehook, logging.lastResort
    ending.quiet_libraries()
    ending.fill_streams()
    ending.refuse_deleted_folder()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # whatever a terminal cannot show, or a name holds
    if completion.ASKED in os.environ:
        completion.answer(_commands())
    os.environ["MPLBACKEND"] = "agg"  # figures go to files, whatever a notebook or a desktop has set
    try:
        rest = _load_plugins(sys.argv[1:] if arguments is None else arguments)
        completion.let_name_a_shell(rest)
        code = _commands()(rest, prog_name="bnstudy", standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BnstudyError as error:
        fail(_as_option(error) + _explained(error), error.exit_code)
    except typer.TyperException as error:
        text = " ".join(told(error).split())
        fail(text[:1].lower() + text[1:] if text else "see bnstudy --help", error.exit_code)
    except SystemExit as error:
        if isinstance(error.__context__, BrokenPipeError):  # typer's own end
            ending.reader_gone()
        if _is_typers(error):
            sys.exit(error.code)
        # Of a user's function that nothing else has told of.
        fail(f"a plugin ended the command: {reason_of(error)}{raised_at(error)}", 2)
    except typer.Abort:
        fail("stopped", ending.INTERRUPTED)
    except BaseException as error:
        ending.unexpected(error)
    finally:
        if arguments is not None:  # called by a program that goes on
            warnings.showwarning, threading.excepthook, sys.unraisablehook, logging.lastResort = before
    if code == ending.INTERRUPTED:  # which is how an interrupt in a command comes back
        fail("stopped", code)
    sys.exit(code if isinstance(code, int) else 0)


def _load_plugins(arguments: list[str]) -> list[str]:
    """Take ``--plugin`` and ``--traceback``, wherever they stand: all names must be known before a command is read."""
    rest, names = [], []
    ending.ask_for_traceback(False)
    given = iter(arguments)
    for argument in given:
        if argument == "--":
            rest += [argument, *given]
        elif argument == ending.OPTION:
            ending.ask_for_traceback(True)
        elif argument == "--plugin":
            names.append(next(given, ""))
        elif argument.startswith("--plugin="):
            names.append(argument.partition("=")[2])
        else:
            rest.append(argument)
    if names:
        from bnstudy.study.registry import load_plugin

        sys.path.insert(0, os.getcwd())  # a module beside the user's files; workers get the same path
        with prints_aside():
            for name in names:
                load_plugin(name)
    return rest


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
    traceback: Annotated[
        bool, typer.Option(ending.OPTION, help="Show where an error was raised; may stand anywhere.")
    ] = False,
) -> None:
    pass
