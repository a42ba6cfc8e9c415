"""``plan.json``, the file that makes a folder a study's: its study, its ensembles, and how the study was extended."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from bnstudy.storage import checksummed_json
from bnstudy.study import required_plugins
from bnstudy.study.errors import InputError
from bnstudy.study.plan import Ensemble
from bnstudy.study.study import Study

NAME = "plan.json"


class Planned(NamedTuple):
    """What the file says: the study, the kind of device it was planned for, its ensembles, its amendments in order."""

    study: Study
    device: str
    ensembles: tuple[Ensemble, ...]
    amendments: tuple[dict[str, Any], ...]
    preregistered: str  # when it was sealed before it ran, in ISO 8601; empty if it was not
    sealed: dict[str, str]  # of what code and data: as in provenance, ``plugins`` and ``data_sha256``


def read(folder: Path) -> tuple[Planned, bytes]:
    """A folder's plan, and the text of it; InputError if it is damaged or needs a plugin that is not loaded."""
    try:
        text = (folder / NAME).read_bytes()
        plan = checksummed_json.unseal(text)
        study = required_plugins.study_of(plan["study"], plan["plugins"])
        if study.digest != plan["study_hash"]:
            raise ValueError("its study is not the one of its hash")
        positions = plan["ensembles"]
        if sorted(position for some in positions for position in some) != list(range(study.n_runs)):
            raise ValueError("its ensembles are not the runs of its study")
        runs = list(study.runs())
        ensembles = (Ensemble(i, tuple(runs[position] for position in some)) for i, some in enumerate(positions))
        amendments = tuple(map(_amendment, plan["amendments"]))
        return Planned(
            study, str(plan["device"]), tuple(ensembles), amendments, str(plan.get("preregistered", "")),
            {str(name): str(value) for name, value in dict(plan.get("sealed", {})).items()},
        ), text  # fmt: skip
    except required_plugins.LackingError as error:
        raise InputError(f"{folder}: {error}") from None
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise InputError(f"{folder / NAME}: damaged ({error}); restore it or start in a new folder") from None


def text(planned: Planned) -> str:
    """What the file says of a study, as :func:`read` reads it."""
    study = planned.study
    index = {run: i for i, run in enumerate(study.runs())}
    return checksummed_json.seal(
        {
            "study_hash": study.digest,
            "device": planned.device,
            "amendments": list(planned.amendments),
            "preregistered": planned.preregistered,
            "sealed": planned.sealed,
            "plugins": required_plugins.needed(study),
            "study": study.stored,
            "ensembles": [[index[run] for run in ensemble.runs] for ensemble in planned.ensembles],
        }
    )


def _amendment(said: Any) -> dict[str, Any]:
    """An amendment as a plan holds it; ValueError if it is not one."""
    if not isinstance(said, dict) or not isinstance(said.get("changes"), dict):
        raise ValueError("one of its amendments is none")
    pairs = said["changes"].values()
    told = all(isinstance(said.get(key), str) for key in ("at", "study_hash"))
    if not told or not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
        raise ValueError("one of its amendments does not say what changed")
    if not isinstance(said["changes"].get("epochs", [0])[0], int):
        raise ValueError("one of its amendments has no number of epochs")
    return said
