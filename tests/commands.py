"""Commands in processes of their own, without the seconds that each would take to import what all of them need.

One process imports it and waits; each command is a fork of it, with its own folder, environment, plugins and output.
What is about starting itself, or about signals, starts a process the usual way.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

SERVER = """
import json, os, sys, traceback, warnings
import dask.array, distributed, matplotlib.figure, netCDF4, pandas, scipy.stats, torch, xarray
import sklearn.datasets, sklearn.model_selection
import bnstudy.cli.app, bnstudy.training.ensembles
import bnstudy.training.running.execution, bnstudy.training.running.retraining

def command(asked):
    for number, path in ((0, os.devnull), (1, asked["out"]), (2, asked["err"])):
        file = os.open(path, os.O_RDWR)
        os.dup2(file, number)
        os.close(file)
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    sys.path[1:1] = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.argv = ["bnstudy", *asked["arguments"]]
    if asked["quiet"]:  # in its workers too
        sys.warnoptions.append("ignore")
        warnings.simplefilter("ignore")
    code = 0
    try:
        bnstudy.cli.app.main()
    except SystemExit as ended:
        code = ended.code or 0
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)

for line in sys.stdin:
    child = os.fork()
    if child == 0:
        command(json.loads(line))
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@cache
def _server() -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SERVER]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(server.terminate)
    return server


def bnstudy(
    folder: Path, *arguments: str, environment: Mapping[str, str] = os.environ, quiet: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run a command in `folder`; `quiet` hides warnings."""
    server = _server()
    assert server.stdin
    assert server.stdout
    with tempfile.NamedTemporaryFile("r") as out, tempfile.NamedTemporaryFile("r") as err:
        asked = {
            "folder": str(folder), "arguments": list(map(str, arguments)), "environment": dict(environment),
            "out": out.name, "err": err.name, "quiet": quiet,
        }  # fmt: skip
        server.stdin.write(json.dumps(asked) + "\n")
        server.stdin.flush()
        code = int(server.stdout.readline())
        return subprocess.CompletedProcess(asked["arguments"], code, out.read(), err.read())
