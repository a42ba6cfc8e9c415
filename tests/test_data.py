"""Data: what is read, how it is scaled, and what happens when it is not there."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import shutil
import struct
import threading
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from bnstudy import data
from bnstudy.errors import InputError
from bnstudy.study import Study

FILES = list(data.MNIST_MD5)


def load(folder=None, **settings):
    return data.load(Study.make({"dataset": "digits", **settings}), folder)


def test_digits_come_with_scikit_learn(digits):
    assert digits.train[0].shape == (1437, 1, 8, 8)
    assert digits.test[0].shape == (360, 1, 8, 8)
    shares = torch.bincount(digits.test[1]) / 360
    assert ((shares - 0.1).abs() < 0.01).all()
    assert load().digest == digits.digest


def test_standardized_and_unit_scaling():
    standardized, unit = load(), load(input_scaling="unit")
    train = standardized.train[0].double()
    assert train.mean().item() == pytest.approx(0, abs=1e-6)
    assert train.std(correction=0).item() == pytest.approx(1, abs=1e-6)
    assert unit.train[0].min() == 0
    assert unit.train[0].max() == 1
    spread = unit.train[0].double().std(correction=0)
    ratio = (unit.test[0].double() - unit.train[0].double().mean()) / spread
    assert torch.allclose(ratio, standardized.test[0].double(), atol=1e-5)


def test_a_subset_is_drawn_once_and_standardized_by_itself():
    one, again = load(train_size=100), load(train_size=100, seeds="7,8")
    assert torch.equal(one.train[0], again.train[0])
    assert one.train[0].double().std(correction=0).item() == pytest.approx(1, abs=1e-6)
    assert len(one.train[1].unique()) == 10


def test_the_data_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("BNSTUDY_DATA_DIR", raising=False)
    assert "bnstudy" in str(data.data_folder())
    monkeypatch.setenv("BNSTUDY_DATA_DIR", str(tmp_path))
    assert data.data_folder() == tmp_path
    assert data.data_folder("elsewhere") == Path("elsewhere")


@pytest.mark.mnist
def test_real_mnist(mnist_folder):
    loaded = load(mnist_folder, dataset="mnist", input_scaling="unit")
    assert loaded.train[0].shape == (60_000, 1, 28, 28)
    assert loaded.train[0].double().mean().item() == pytest.approx(0.1307, abs=5e-5)
    assert loaded.train[0].double().std().item() == pytest.approx(0.3081, abs=5e-5)
    assert (loaded.test[1] == 1).sum() == 1135


@pytest.mark.mnist
@pytest.mark.parametrize("damage", ["truncate", "flip", "empty"])
def test_damaged_mnist_is_named(mnist_folder, tmp_path, damage):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in FILES:
        shutil.copyfile(mnist_folder / "MNIST" / "raw" / name, raw / name)
    target = raw / "t10k-images-idx3-ubyte"
    content = bytearray(target.read_bytes())
    content[5000] ^= 1
    target.write_bytes({"truncate": content[:9999], "flip": content, "empty": b""}[damage])
    with pytest.raises(InputError) as caught:
        load(tmp_path, dataset="mnist")
    assert caught.value.key == "data_dir"
    assert str(tmp_path) in caught.value.problem
    assert "\n" not in caught.value.problem


# ------------------------------------------------------------------------ download


@pytest.fixture
def mirror(tmp_path, monkeypatch, rng):
    """A local server of a full-size random MNIST, and torchvision told to fetch from it."""
    from torchvision.datasets import MNIST

    served = tmp_path / "served"
    served.mkdir()
    resources, sums = [], {}
    for name in FILES:
        n = 60_000 if name.startswith("train") else 10_000
        images = "images" in name
        header = struct.pack(">4i", 2051, n, 28, 28) if images else struct.pack(">2i", 2049, n)
        # Mostly zeros: a small file with the right shape.
        body = np.zeros((n, 28, 28) if images else n, np.uint8)
        body[:500] = rng.integers(0, 10, body[:500].shape)
        content = header + body.tobytes()
        packed = gzip.compress(content, 1)
        (served / f"{name}.gz").write_bytes(packed)
        resources.append((f"{name}.gz", hashlib.md5(packed).hexdigest()))
        sums[name] = hashlib.md5(content).hexdigest()
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(served))
    monkeypatch.setattr(http.server.SimpleHTTPRequestHandler, "log_message", lambda *_: None)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setattr(MNIST, "mirrors", [f"http://127.0.0.1:{server.server_port}/"])
    monkeypatch.setattr(MNIST, "resources", resources)
    for name, digest in sums.items():
        monkeypatch.setitem(data.MNIST_MD5, name, digest)
    yield served
    server.shutdown()
    server.server_close()
    thread.join()


def test_download_once_then_offline(mirror, tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    first = load(folder, dataset="mnist")
    assert sorted(path.name for path in folder.iterdir()) == ["MNIST"]
    assert sorted(path.name for path in (folder / "MNIST" / "raw").iterdir()) == sorted(FILES)
    shutil.rmtree(mirror)
    assert load(folder, dataset="mnist").digest == first.digest


def assert_cannot_download(folder: Path) -> None:
    with pytest.raises(InputError) as caught:
        load(folder, dataset="mnist")
    for part in (str(folder), "--data-dir", "--dataset digits"):
        assert part in caught.value.problem
    assert "\n" not in caught.value.problem
    assert not any(folder.iterdir())


def test_a_download_with_a_wrong_checksum_is_not_kept(mirror, tmp_path):
    broken = mirror / "t10k-labels-idx1-ubyte.gz"
    broken.write_bytes(broken.read_bytes() + b"x")
    assert_cannot_download(tmp_path / "cache")


def test_no_network(mirror, tmp_path, monkeypatch):
    from torchvision.datasets import MNIST

    monkeypatch.setattr(MNIST, "mirrors", ["http://127.0.0.1:9/"])
    assert_cannot_download(tmp_path / "cache")
