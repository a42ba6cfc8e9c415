"""A study's results, opened once: what tables, figures and pages are made from."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import xarray as xr

from bnstudy.analysis.assessment import assess
from bnstudy.analysis.criteria import Criteria, criteria_of, study_of
from bnstudy.analysis.normal_form import normal_form
from bnstudy.analysis.selection import can_select, select_lr
from bnstudy.storage.opening import open_results
from bnstudy.study.errors import InputError


class Results:
    """A study's dataset in normal form, with what the study declared; judged at most once.

    Parameters
    ----------
    stored : Dataset
        In the layout of the schema.

    Raises
    ------
    InputError
        It is no dataset.

    Attributes
    ----------
    stored : Dataset
        The same.
    dataset : Dataset
        In normal form: over model, norm, init, optimizer, lr, seed and epoch.
    """

    def __init__(self, stored: xr.Dataset) -> None:
        if not isinstance(stored, xr.Dataset):
            raise InputError(
                f"Results takes a dataset; of a study folder or file it is Results.open({str(stored)[:60]!r})"
            )
        self.stored = stored
        self.dataset = normal_form(stored)

    @classmethod
    def open(cls, source: str | Path) -> Results:
        """Those of a study folder or a netCDF file; InputError as :func:`~bnstudy.storage.opening.open_results`."""
        return cls(open_results(source))

    @cached_property
    def declared(self) -> dict[str, Any]:
        """The study's own settings; empty where the dataset does not hold them."""
        return study_of(self.dataset)

    @cached_property
    def criteria(self) -> Criteria:
        """By what they are judged; InputError where that is not what the study declared."""
        return criteria_of(self.dataset)

    @cached_property
    def assessment(self) -> xr.Dataset:
        """What :func:`~bnstudy.analysis.assessment.assess` finds; its InputErrors."""
        return assess(self.dataset, self.criteria)

    @property
    def can_select(self) -> bool:
        """Whether validation can select each cell's learning rate."""
        return can_select(self.dataset)

    @cached_property
    def _selection(self) -> tuple[Results, xr.DataArray]:
        dataset, rates = select_lr(self.dataset)
        return Results(dataset), rates

    @property
    def at_selected_rates(self) -> Results:
        """The same with each cell at its selected learning rate; InputError where none can be selected."""
        return self._selection[0]

    @property
    def selected_rates(self) -> xr.DataArray:
        """These rates, over model, norm, init and optimizer."""
        return self._selection[1]

    @property
    def reference_cell(self) -> dict[str, Any]:
        """The init (reference, else the first), optimizer and lr (the first) that stand for the study."""
        init = self.criteria.reference or str(self.dataset.init.values[0])
        return {"init": init, "optimizer": self.dataset.optimizer.values[0], "lr": self.dataset.lr.values[0]}
