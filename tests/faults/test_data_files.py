"""Data sets damaged on disk or on their way: named, never used, never kept."""

from __future__ import annotations

import gc
import gzip
import hashlib
import http.server
import shutil
import struct
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from bnstudy.study.errors import InputError
from bnstudy.study.study import Study
from bnstudy.training.datasets import builtin, data, downloads

from tests.faults.studies import damaged

NAMES = tuple(builtin.MNIST_MD5)


def load(folder: Path, dataset: str = "mnist") -> data.Data:
    return data.load(Study.make({"dataset": dataset}), folder)


class Mirror:
    """A full-size made-up data set in MNIST's format, served on this machine as torchvision fetches it."""

    def __init__(self, folder: Path, rng: np.random.Generator) -> None:
        self.folder, self.contents, self.resources = folder, {}, []
        folder.mkdir()
        for name in NAMES:
            n = 60_000 if name.startswith("train") else 10_000
            images = "images" in name
            header = struct.pack(">4i", 2051, n, 28, 28) if images else struct.pack(">2i", 2049, n)
            body = np.zeros((n, 28, 28) if images else n, np.uint8)
            body[:500] = rng.integers(0, 10, body[:500].shape)
            self.contents[name] = header + body.tobytes()
            packed = gzip.compress(self.contents[name], 1)
            (folder / f"{name}.gz").write_bytes(packed)
            self.resources.append((f"{name}.gz", hashlib.md5(packed).hexdigest()))

    @property
    def sums(self) -> dict[str, str]:
        return {name: hashlib.md5(content).hexdigest() for name, content in self.contents.items()}


class Server(http.server.SimpleHTTPRequestHandler):
    """Serves files as they are, or as `fault` says."""

    fault = ""

    def log_message(self, *_: object) -> None:
        pass

    def copyfile(self, source, outputfile) -> None:
        content = source.read()
        cut = {"cut": content[: len(content) // 2], "slow": content[:100]}.get(self.fault, content)
        outputfile.write(cut)
        if self.fault == "slow":
            outputfile.flush()
            time.sleep(3)

    def do_GET(self) -> None:
        if self.fault == "500" and "t10k" in self.path:
            self.send_error(500)
        else:
            super().do_GET()


@pytest.fixture(scope="module")
def mirror(tmp_path_factory):
    made = Mirror(tmp_path_factory.mktemp("mirror") / "served", np.random.default_rng(4))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Server, directory=str(made.folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    made.address = f"http://127.0.0.1:{server.server_port}/"
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def patched(mirror, monkeypatch):
    """torchvision and bnstudy told that the made-up data are MNIST, and Fashion-MNIST."""
    from torchvision.datasets import MNIST, FashionMNIST

    for dataset in (MNIST, FashionMNIST):
        monkeypatch.setattr(dataset, "mirrors", [mirror.address])
        monkeypatch.setattr(dataset, "resources", mirror.resources)
    for name, digest in mirror.sums.items():
        monkeypatch.setitem(builtin.MNIST_MD5, name, digest)
    monkeypatch.setattr(Server, "fault", "")
    return mirror


@pytest.mark.parametrize("dataset", ["mnist", "fashion-mnist"])
@pytest.mark.parametrize(
    "count", [pytest.param(2, marks=pytest.mark.slow), pytest.param(200, marks=pytest.mark.faults)]
)
def test_a_damaged_file_is_named_and_mended_by_fetching_it_again(patched, tmp_path, rng, dataset, count):
    folder = tmp_path / "cache"
    good = load(folder, dataset).digest
    raw = folder / ("MNIST" if dataset == "mnist" else "FashionMNIST") / "raw"
    slowest = 0.0
    for i in range(count):
        path = raw / NAMES[i % 4]
        content = path.read_bytes()
        kind, broken = damaged(content, rng)
        while broken == content:  # most of the made-up pixels are zero
            kind, broken = damaged(content, rng)
        path.write_bytes(broken)
        started = time.monotonic()
        with pytest.raises(InputError) as caught:
            load(folder, dataset)
        slowest = max(slowest, time.monotonic() - started)
        assert caught.value.key == "data_dir"
        assert caught.value.problem.startswith(f"{path}: its checksum"), (kind, caught.value.problem)
        assert "\n" not in caught.value.problem
        assert path.read_bytes() == broken  # what the user has is left to the user
        path.write_bytes(content)
    assert load(folder, dataset).digest == good
    shutil.rmtree(raw.parent)  # as the message says
    assert load(folder, dataset).digest == good
    print(f"\n{count} damaged files of {dataset}: all named by their checksum, the slowest in {slowest:.1f} s")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # torchvision forgets a refused socket
@pytest.mark.parametrize(
    ("dataset", "fault"),
    [("mnist", "cut"), pytest.param("mnist", "slow", marks=pytest.mark.slow), ("fashion-mnist", "500")],
)
def test_a_download_that_fails_leaves_nothing(patched, tmp_path, monkeypatch, dataset, fault):
    folder = tmp_path / "cache"
    with monkeypatch.context() as hasty:
        hasty.setattr(Server, "fault", fault)
        hasty.setattr(downloads, "DOWNLOAD_TIMEOUT", 1.0)
        with pytest.raises(InputError) as caught:
            load(folder, dataset)
    assert "\n" not in caught.value.problem
    assert "cannot be downloaded" in caught.value.problem
    assert list(folder.iterdir()) == []
    del caught
    gc.collect()
    assert load(folder, dataset).classes == 10


def test_data_from_elsewhere_need_no_checksums_but_a_missing_one_is_told(patched, tmp_path):
    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for name, content in patched.contents.items():
        (raw / name).write_bytes(content)
    assert load(tmp_path, "fashion-mnist").classes == 10
    (raw / NAMES[0]).write_bytes(b"")
    with pytest.raises(InputError, match="data_dir"):
        load(tmp_path, "fashion-mnist")
