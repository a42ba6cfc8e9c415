"""The width of registers: chosen by what is fastest here, and no number depends on it."""

import json
import os
import subprocess
import sys

import pytest
from bnstudy.training.replicas.lanes import compiling, kernel, trial

FLAGS = "flags : fpu avx avx2 avx512f avx512vl"
MADE_UP = 'extern "C" double trial() {{ return REGISTER_BYTES == 64 ? {wide} : 10; }}\n'
TRAINED = """
import json, sys
from bnstudy.training.replicas.lanes import lanes, trial
trial.fastest = lambda *_: int(sys.argv[1])
import torch, bnstudy
study = bnstudy.Study.make({"dataset": "digits", "models": "mlp,cnn", "norms": "none,batch,layer", "inits": "default",
                            "scales": "10", "optimizers": "sgd,adam", "seeds": 3, "epochs": 1, "train_size": 300})
curves = bnstudy.run(study, sys.argv[2], jobs=1, quiet=True).curves
print(json.dumps({"lanes": lanes.load().lanes(torch.float32),
                  "loss": [x.hex() for x in curves.test_loss.values.ravel().tolist()],
                  "grad": [x.hex() for x in curves.grad_norm.values.ravel().tolist()]}))
"""


@pytest.mark.parametrize(
    ("processor", "widths"),
    [
        ([FLAGS], (32, 64)),
        (["flags : fpu avx avx2"], (32,)),
        (["flags : fpu avx avx512f"], (32,)),  # whose short registers lack what the kernel's tiles count on
        (["Features : fp asimd"], ()),
        (["model name : avx512f avx512vl"], ()),
        ([], ()),
    ],
)
def test_the_widths_that_a_processor_has(processor, widths):
    assert trial.widths(processor) == widths


@pytest.mark.skipif(isinstance(kernel.attempt(), str), reason="needs a C++ compiler")
@pytest.mark.parametrize(("wide", "chosen"), [(20, 64), (5, 32), (10.2, 32)])
def test_the_fastest_width_is_chosen_and_a_wider_one_has_to_be_worth_it(tmp_path, wide, chosen):
    source = tmp_path / "trial.cpp"
    source.write_text(MADE_UP.format(wide=wide))
    built = compiling._native(compiling.find_compiler())
    assert trial.fastest(source, (32, 64), tmp_path, built) == chosen


@pytest.mark.slow
@pytest.mark.skipif(trial.widths(compiling.processor()) != (32, 64), reason="needs registers of two widths")
@pytest.mark.skipif(isinstance(kernel.attempt(), str), reason="needs a C++ compiler")
def test_a_run_is_the_same_to_the_bit_whatever_the_width(tmp_path):
    told = []
    for width in (32, 64):
        surroundings = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / str(width))}
        command = [sys.executable, "-c", TRAINED, str(width), str(tmp_path / f"study-{width}")]
        run = subprocess.run(command, capture_output=True, text=True, env=surroundings, check=False)
        assert run.returncode == 0, run.stderr
        told.append(json.loads(run.stdout.splitlines()[-1]))
    narrow, wide = told
    assert (narrow.pop("lanes"), wide.pop("lanes")) == (8, 16)
    assert narrow == wide
