"""``bnstudy preregister``."""

from __future__ import annotations

from pathlib import Path

from bnstudy.cli.options import Device, Name, Out, StudyFile, study_options
from bnstudy.cli.studies import study_named


@study_options(running=False)
def preregister(
    study_file: StudyFile, settings: dict[str, str], name: Name = None, out: Out = None, device: Device = None
) -> None:
    """Seal a study with a date before it runs: what is asked, what decides, what is expected."""
    from bnstudy.storage.preregistration import preregister as seal
    from bnstudy.study import registry
    from bnstudy.study.predictions import text_of
    from bnstudy.training.datasets.data import load
    from bnstudy.training.running.execution import default_folder
    from bnstudy.training.running.this_machine import check_without_data, plan_for, resolve_device

    study = study_named(study_file, settings, name, out)
    folder = Path(out) if out else default_folder(study)
    chosen = resolve_device(device)
    check_without_data(study)  # what is sealed can run
    own = registry.datasets[study.dataset].origin is not None  # others are told apart by their files' checksums
    store = seal(folder, study, chosen.split(":")[0], plan_for(study, chosen), load(study).digest if own else "")
    print(f"sealed on {store.preregistered}")
    if store.sealed["plugins"]:
        print(f"sealed with it: {store.sealed['plugins']}{' and the data' if own else ''}")
    print(f"study hash: {study.digest}")
    print(f"folder: {folder} (`bnstudy run` with the same study trains into it)")
    for prediction in study.predictions:
        print(f"predicted: {text_of(prediction)}")
