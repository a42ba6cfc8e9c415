"""What the pages say of the network in which batch norm was introduced."""

from __future__ import annotations

from collections.abc import Iterator

from bnstudy.analysis.tables.summary import sweep_table
from bnstudy.analysis.tables.verdicts import times as bound

from tests.quotes.common import curves, failures, final, finals, gain, higher, judged, results, row, saved, told_word

STUDY, NORMALS = "sigmoid", ("normal:0.1", "normal:0.01")


def readme() -> Iterator[str]:
    """What the README says."""
    _words()
    yield from ()


def findings() -> Iterator[str]:
    """What docs/findings/index.md says."""
    for line in sweep_table(results(STUDY)).rows:
        cell = judged(STUDY)[line[0], line[1]]
        yield row(f"`{line[1]}`", gain(cell), bound(cell), failures(cell), told_word(cell), *line[5:7], *line[3:5])
    ends = [[final(STUDY, norm=norm, init=init) for norm in ("batch", "none")] for init in NORMALS]
    yield f"{ends[0][0]:.1f} against {ends[0][1]:.1f} %, and {ends[1][0]:.1f} against {ends[1][1]:.1f} %"
    for init in NORMALS:
        assert (finals(STUDY, norm="batch", init=init) > finals(STUDY, norm="none", init=init)).all()
    plain = 100 * curves(STUDY).test_accuracy.sel(norm="none", init=NORMALS[1]).squeeze()
    stuck = plain.sel(epoch=slice(1, 10)).mean("seed")
    assert float(stuck.max()) < 12  # "in its first ten epochs"
    yield f"at {float(stuck.min()):.1f} to {float(stuck.max()):.1f} % in its first ten epochs"
    first = 100 * curves(STUDY).test_accuracy.sel(norm="none", init="default", epoch=1).mean("seed").item()
    yield f"{first:.1f} % after one epoch; BN ends {higher(STUDY, init='default')} points higher"
    _words()
    epochs = [saved(STUDY, init=init) for init in (NORMALS[0], "default")]
    yield f"BN saves {epochs[0]} epochs, fewer than the {epochs[1]} at PyTorch's default"
    plain_ends = [final(STUDY, norm="none", init=init) for init in (NORMALS[0], "default")]
    yield f"({plain_ends[0]:.2f} against {plain_ends[1]:.2f} %)"


def _words() -> None:
    assert [judged(STUDY)["mlp", init]["word"] for init in NORMALS] == ["less", "mainly"]
