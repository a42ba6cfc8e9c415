"""``bnstudy open``: a page that is as new as its data, in a browser where there is one."""

from __future__ import annotations

import os
import webbrowser

import pytest
from bnstudy.analysis.report import page

from tests.synthetic import make_dataset

MADE = '<!doctype html><meta name="generator" content="bnstudy 0.2.0">'  # by which a page is known as one of ours


@pytest.fixture
def opened(monkeypatch):
    """What a browser was asked to open; pages are made of a word."""
    asked: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda url: asked.append(url) or True)
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(page, "render", lambda results, reloads: MADE + "new")
    return asked


def test_the_page_is_written_once_and_again_where_the_data_are_newer(command, tmp_path, opened):
    data, there = tmp_path / "made-up.nc", tmp_path / "made-up.html"
    make_dataset().to_netcdf(data)
    assert command("open", "made-up.nc") == (0, "made-up.html\n", "")
    assert opened == [there.as_uri()]
    for later, expected in ((-1, "old"), (1, "new")):  # seconds by which the data are newer
        there.write_text(MADE + "old")
        time = there.stat().st_mtime_ns + later * 10**9
        os.utime(data, ns=(time, time))
        assert command("open", "made-up.nc")[0] == 0
        assert there.read_text() == MADE + expected
    assert len(opened) == 3


def test_without_a_browser_it_says_where_the_page_lies(command, tmp_path, monkeypatch, opened):
    make_dataset().to_netcdf(tmp_path / "made-up.nc")
    (tmp_path / "made-up.html").write_text("<!doctype html>")
    os.utime(tmp_path / "made-up.nc", ns=(0, 0))
    told = (0, "made-up.html\n", "bnstudy: no browser can be opened here; open the page yourself\n")
    monkeypatch.setattr(webbrowser, "open", lambda url: False)
    assert command("open", "made-up.nc") == told

    def fails(url: str) -> bool:
        raise webbrowser.Error("none")

    monkeypatch.setattr(webbrowser, "open", fails)
    assert command("open", "made-up.nc") == told
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert command("open", "made-up.nc") == told  # no window to open one in
    assert opened == []


def test_what_is_no_study_is_refused(command, opened):
    code, out, err = command("open", "nowhere")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert opened == []
