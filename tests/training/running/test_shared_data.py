"""Data shared by worker processes."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import pytest
import torch
from bnstudy.study.study import Study
from bnstudy.training.datasets import data
from bnstudy.training.running import shared_data


@pytest.fixture(params=["memory", "disk"])
def kind(request, monkeypatch) -> str:
    if request.param == "disk":
        monkeypatch.delattr(os, "memfd_create", raising=False)
    return request.param


def total(shared: shared_data.Shared, answer) -> None:
    opened = shared.open()
    answer.put([float(opened.train[0].double().sum()), int(opened.test[1].sum()), opened.validation is None])


@pytest.mark.parametrize("validation", [pytest.param(0, marks=pytest.mark.slow), 100])
def test_a_worker_sees_the_same_data(kind, validation):
    loaded = data.load(Study.make({"dataset": "digits", "validation_size": validation}))
    context = multiprocessing.get_context("spawn")
    answer = context.Queue()
    with shared_data.share(loaded) as shared:
        worker = context.Process(target=total, args=(shared, answer))
        worker.start()
        found = answer.get(timeout=60)
        worker.join()
        opened = shared.open()
    wanted = [float(loaded.train[0].double().sum()), int(loaded.test[1].sum()), validation == 0]
    assert found == wanted
    for one, other in zip((*opened.train, *opened.test), (*loaded.train, *loaded.test), strict=True):
        assert torch.equal(one, other)
        assert one.dtype == other.dtype
        assert one.stride() == other.stride()  # or a library adds up in another order here than there


def test_nothing_is_left_behind(kind, digits, tmp_path, monkeypatch):
    monkeypatch.setattr(shared_data.tempfile, "tempdir", str(tmp_path))
    with shared_data.share(digits) as shared:
        assert Path(shared.path).exists()
    assert not Path(shared.path).exists()
    assert list(tmp_path.iterdir()) == []


def test_writing_to_shared_data_changes_nobody_elses(kind, digits):
    with shared_data.share(digits) as shared:
        mine, yours = shared.open(), shared.open()
        before = yours.train[0].clone()
        mine.train[0].zero_()
        assert torch.equal(yours.train[0], before)
