"""What ``bnstudy plan --json`` prints."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bnstudy.cli.plan import Pilot, parts_costs, treatment_levels
from bnstudy.study import registry
from bnstudy.study.factors import FACTORS

if TYPE_CHECKING:
    from bnstudy.analysis.criteria import Criteria
    from bnstudy.study.study import Study


def plain(
    study: Study, out: str | None, device: str | None, shard: str | None, measure: bool, pilot: Pilot | None
) -> dict[str, Any]:
    """A plan as plain values: what would run, what it costs, what its seeds can show."""
    from bnstudy.analysis.criteria import Criteria
    from bnstudy.analysis.power import nothing_to_compare, warnings
    from bnstudy.study.plan import Shard, idle_lanes
    from bnstudy.training.running.costs import not_initialized
    from bnstudy.training.running.execution import default_folder
    from bnstudy.training.running.this_machine import check_without_data, plan_for, resolve_device

    part = None if shard is None else Shard.parse(shard)
    chosen = resolve_device(device)
    check_without_data(study)
    ensembles = plan_for(study, chosen)
    criteria = Criteria.of(study)
    note = registry.datasets[study.dataset].about.get("note")
    arms = treatment_levels(study)
    compares = not nothing_to_compare(criteria, arms)
    costs = parts_costs(study, ensembles, part.count if part else 1, chosen if measure else None)
    return {
        "study": study.name,
        "hash": study.digest,
        "folder": str(Path(out) if out else default_folder(study, part)),
        "dataset": study.dataset,
        "train_samples": study.n_train,
        "factors": {factor.name: list(getattr(study, factor.key)) for factor in FACTORS},
        "seeds": list(study.seeds),
        "criteria": criteria.attributes(),
        "cells": study.n_cells,
        "runs": study.n_runs,
        "epochs": study.epochs,
        "run_epochs": study.n_runs * study.epochs,
        "steps_per_epoch": {str(size): -(-study.n_train // size) for size in study.batch_size},
        "device": chosen,
        "ensembles": len(ensembles),
        "idle_lanes_share": round(idle_lanes(ensembles), 4) if chosen == "cpu" else None,
        "costs": [
            {
                "shard": name, "ensembles": len(held), "runs": cost.runs, "run_epochs": cost.run_epochs,
                "flop": cost.operations, "worker_seconds": cost.seconds,
            }
            for name, held, cost in costs
        ],
        "not_initialized": not_initialized(study) or None,
        "power": _power(criteria, len(study.seeds)) if criteria.poor and compares else None,
        "pilot": pilot and {"seeds": pilot.seeds, "shares": pilot.rows, "lacking": pilot.lacking},
        "warnings": [*([note] if note else []), *warnings(criteria, len(study.seeds), arms)],
    }  # fmt: skip


def _power(criteria: Criteria, seeds: int) -> dict[str, Any]:
    """How many of the seeds have to agree for a word, and how many seeds it takes at least."""
    from bnstudy.analysis.power import needed_on_one_side, seeds_needed

    poor = len(criteria.poor)
    return {
        "have_to_agree": needed_on_one_side(seeds, poor, criteria.level),
        "seeds_needed": seeds_needed(poor, criteria.level),
    }
