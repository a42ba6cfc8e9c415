"""The 240-run grid on a GPU, against the loop over runs there.

Usage: python benchmarks/gpu.py [--data-dir DIR] [--epochs 50] [--device cuda]

Two models, two arms, six initializers, ten seeds. The loop is the tight one: data in the device's memory, one run at a
time; one epoch of each arm is measured and multiplied. The target is 120 s on one H200, and 100 times the loop.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import bnstudy
import torch
from bnstudy.training import ensembles
from bnstudy.training.datasets import data

GRID = {
    "name": "grid",
    "models": "mlp,cnn",
    "norms": "none,batch",
    "seeds": 10,
    "inits": "default,zero,large-variance,scaled-normal:0.01,scaled-normal:1,scaled-normal:10",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir")
    parser.add_argument("--dataset", default="mnist")
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--device", default="cuda")
    options = parser.parse_args()
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        sys.exit("no CUDA device that torch can use; --device cpu --epochs 1 --dataset digits tries the script itself")
    study = bnstudy.Study.make(GRID | {"epochs": options.epochs, "dataset": options.dataset})
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        bnstudy.run(study, Path(folder) / "grid", data_dir=options.data_dir, device=options.device, jobs=1)
        grid = time.perf_counter() - started
    loaded = data.load(study, options.data_dir).to(torch.device(options.device))
    each = study.n_runs // (len(study.models) * len(study.norms)) * study.epochs
    loop = sum(
        each * ensembles.seconds_alone(study, model, norm, loaded, budget=20)
        for model in study.models
        for norm in study.norms
    )
    name = torch.cuda.get_device_name(options.device) if options.device.startswith("cuda") else "CPU"
    print(json.dumps({"device": name, "runs": study.n_runs, "epochs": study.epochs, "grid_s": grid, "loop_s": loop}))


if __name__ == "__main__":
    main()
