"""The schema: everything stored is described, once."""

from __future__ import annotations

from bnstudy.study import schema


def test_every_variable_is_described_once():
    described = [*schema.variables(validation=True), *schema.COORDS]
    names = [variable.name for variable in described]
    assert len(names) == len(set(names))
    for variable in described:
        attributes = schema.attributes(variable)
        assert attributes["long_name"]
        assert attributes["units"]
        assert set(variable.dims) <= {*schema.CURVE_DIMS, *schema.FURTHER_DIMS}


def test_status_flags():
    assert schema.STATUS.attrs == {"flag_values": [0, 1, 2, 3], "flag_meanings": "pending done diverged failed"}
    assert schema.CURVE_DIMS == ("model", "norm", "init", "seed", "epoch")
