"""What is unlike the schema is refused in a few words; what is accepted is understood by whoever reads it."""

from __future__ import annotations

from contextlib import suppress

import netCDF4
import numpy as np
import pytest
import xarray as xr
from bnstudy.analysis.export.tidy import run_table
from bnstudy.analysis.results import assess
from bnstudy.cli.app import main
from bnstudy.storage import atomic, checksummed_json, conformity, manifest
from bnstudy.storage.opening import open_results
from bnstudy.study import schema
from bnstudy.study.errors import InputError

from tests.mutations import mutations
from tests.synthetic import make_dataset

# Changes after which no variable is one any more, and variables of which one of them is no change for the worse.
WRONG = ("scalar", "over seed", "over model", "over init", "over more", "bool", "time", "one negative", "one -inf")
BELOW_ZERO = ("init_value", "diverged_epoch")
ALL = (*schema.variables(validation=True), *(v for v in schema.COORDS if v.name not in schema.FURTHER_DIMS))
DEEP = "[" * 100_000


@pytest.fixture(scope="module")
def dataset() -> xr.Dataset:
    return make_dataset(models=("mlp",), inits=("default", "zero"), seeds=2, epochs=2, validation=True)


def test_a_good_dataset_has_no_problem(dataset):
    assert conformity.problem(dataset) == ""
    assert conformity.problem(dataset[["test_accuracy"]].drop_attrs()) == ""
    assert conformity.problem(dataset.assign_coords(batch_size=32, weight_decay=0.0)) == ""  # cut out of a larger one
    further = dataset.expand_dims(batch_size=[32, 64], weight_decay=[0.0])
    for name in ("n_parameters", "epoch_seconds_alone"):
        further[name] = dataset[name]
    assert conformity.problem(further) == ""


def test_whatever_is_changed_is_told_in_a_few_words_or_understood(dataset):
    refused = 0
    for what, changed in mutations(dataset):
        problem = conformity.problem(changed)
        refused += bool(problem)
        assert len(problem) < 300, what
        assert problem.isprintable(), what
    assert refused > 200


@pytest.mark.parametrize("variable", ALL, ids=lambda variable: variable.name)
def test_every_variable_is_looked_at(dataset, variable):
    wrong = [*WRONG, "numbers" if variable.dtype == "str" else "text"]
    tried = 0
    for what, changed in mutations(dataset, [variable.name], attributes=False):
        if what in wrong and not (what == "one negative" and variable.name in BELOW_ZERO):
            assert variable.name in conformity.problem(changed), what
            tried += 1
    assert tried > (0 if variable.dtype == "str" else 4)


@pytest.mark.parametrize("attribute", schema.ATTRIBUTES, ids=lambda attribute: attribute.name)
def test_every_attribute_is_looked_at(dataset, attribute):
    for wrong in (["a"], np.arange(3), 10**7 * "x" if attribute.is_text else "x", -1, np.nan, np.inf):
        assert f"attribute {attribute.name}" in conformity.problem(dataset.assign_attrs({attribute.name: wrong}))


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("classes", 0), ("classes", 1), ("classes", 2.5), ("study", DEEP), ("study", f"x = {DEEP}"), ("study", "a = 'b"),
     ("study", "predictions = 5"), ("study", "batch_size = ['a']"), ("study", "lr = [[1]]"), ("study", "seeds = 'a'"),
     ("amendments", DEEP), ("amendments", "{}"), ("amendments", "[1]"), ("amendments", "a"),
     ("amendments", '[{"changes": 3}]'), ("amendments", '[{"changes": {"seeds": 3}}]'),
     ("amendments", '[{"changes": {"seeds": [1, 2]}}]')],
)  # fmt: skip
def test_attributes_that_are_read_again_have_to_be_readable(dataset, name, wrong):
    assert f"attribute {name}" in conformity.problem(dataset.assign_attrs({name: wrong}))


@pytest.mark.parametrize("name", ["status", "epoch_seconds_alone", "init_role"])
def test_what_is_accepted_is_understood(dataset, name):
    """Or an InputError says what the analysis lacks."""
    accepted = 0
    for _, changed in mutations(dataset, [name], attributes=False):
        if not conformity.problem(changed):
            with suppress(InputError):
                assert assess(changed).sizes["model"] == 1
            assert len(run_table(changed)) == dataset.status.size
            accepted += 1
    assert accepted


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("init_role", lambda d: d.assign_coords(init_role="well")),
        ("status", lambda d: d.assign(status=("init", np.ones(2, np.int8)))),
        ("amendments", lambda d: d.assign_attrs(amendments=DEEP)),
    ],
)
def test_a_file_that_is_none_ends_a_command_with_one_line(dataset, tmp_path, capsys, name, change):
    change(dataset).to_netcdf(tmp_path / "wrong.nc")
    with pytest.raises(SystemExit) as ended:
        main(["analyze", str(tmp_path / "wrong.nc")])
    printed = capsys.readouterr()
    assert ended.value.code == 2
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert name in printed.err


def test_dimensions_in_another_order_are_the_same_dataset(dataset, tmp_path):
    dataset.transpose(..., "seed", "norm", "model").to_netcdf(tmp_path / "other.nc")
    other = open_results(tmp_path / "other.nc").test_accuracy
    assert other.dims == schema.CURVE_DIMS
    assert other.identical(dataset.test_accuracy.squeeze(["optimizer", "lr"]))


def seal_folder(folder, name) -> None:
    """Let the manifest know a dataset that somebody else put there."""
    digest = atomic.sha256(folder / name)
    (folder / "manifest.jsonl").write_text(checksummed_json.seal({"file": name, "sha256": digest}) + "\n")


def test_a_small_sealed_file_that_claims_to_hold_much_is_refused_before_it_is_read(tmp_path):
    with netCDF4.Dataset(tmp_path / manifest.DATASET, "w") as file:
        for dim in schema.CURVE_DIMS:
            file.createDimension(dim, 200_000_000 if dim == "seed" else 1)
            file.createVariable(dim, "i8", (dim,), chunksizes=(min(1000, len(file.dimensions[dim])),))
        file.createVariable("test_accuracy", "f4", schema.CURVE_DIMS, chunksizes=(1, 1, 1, 1000, 1))
    assert (tmp_path / manifest.DATASET).stat().st_size < 100_000
    seal_folder(tmp_path, manifest.DATASET)
    with pytest.raises(InputError, match="far more than a file of its size can"):
        open_results(tmp_path)


def test_a_sealed_file_that_libraries_choke_on_is_refused(dataset, tmp_path):
    dataset.assign(train_loss=dataset.train_loss.assign_attrs(units="days since never")).to_netcdf(
        tmp_path / manifest.DATASET
    )
    seal_folder(tmp_path, manifest.DATASET)
    with pytest.raises(InputError, match="cannot be read as netCDF"):
        open_results(tmp_path)


def test_diagnostics_are_looked_at_too(dataset):
    dataset = dataset.squeeze(["optimizer", "lr"])
    shape = [dataset.sizes[dim] for dim in schema.CURVE_DIMS]
    looked = dataset[["test_accuracy"]].rename(test_accuracy="batch_loss").assign_coords(layer=["output"])
    for name in schema.LOOKED:
        looked[name] = ((*schema.CURVE_DIMS, "layer"), np.ones((*shape, 1)))
    assert conformity.problem_of_diagnostics(looked) == ""
    for wrong, told in (
        (looked.drop_vars("layer"), "layer has no labels"),
        (looked.drop_vars("gradient_norm"), "needs gradient_norm"),
        (looked.assign(batch_loss=looked.batch_loss.isel(seed=0, drop=True)), "batch_loss is over"),
        (looked.assign(batch_loss=looked.batch_loss.astype(str)), "batch_loss is not numbers"),
        (looked.assign_attrs(study="batch_size = 'a'"), "attribute study"),
    ):
        assert told in conformity.problem_of_diagnostics(wrong)
