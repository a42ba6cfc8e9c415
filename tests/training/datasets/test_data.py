"""Data: what is read, how it is scaled, and what happens when it is not there."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import shutil
import struct
import sys
import threading
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from bnstudy.study import registry
from bnstudy.study.errors import InputError
from bnstudy.study.study import Study
from bnstudy.training.datasets import builtin, data, downloads
from bnstudy.training.running import execution, shared_data

FILES = list(builtin.MNIST_MD5)


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
    assert "bnstudy" in str(data.data_folder().value)
    monkeypatch.setenv("BNSTUDY_DATA_DIR", str(tmp_path))
    assert data.data_folder().value == tmp_path
    assert data.data_folder("elsewhere").value == Path("elsewhere")


@pytest.mark.parametrize(("change", "told"), [
    (lambda: torch.set_default_dtype(torch.float64), "a plugin or script has set the default dtype torch.float64"),
    (lambda: torch.set_default_device("meta"), "the default device meta"),
    (lambda: torch.set_grad_enabled(False), "no gradients"),
])  # fmt: skip
def test_what_torch_was_told_to_do_with_all_numbers_is_refused(change, told):
    change()
    try:
        with pytest.raises(InputError, match=told):
            load()
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)
        torch.set_grad_enabled(True)


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
        monkeypatch.setitem(builtin.MNIST_MD5, name, digest)
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


# ------------------------------------------------------------------ what is read is what was checked


def read(folder: Path) -> str:
    return registry.datasets["mnist"].function(folder, True).digest


def test_an_old_copy_or_an_archive_beside_the_files_is_not_read(mirror, tmp_path):
    first = read(tmp_path)
    old = tmp_path / "MNIST" / "processed"
    old.mkdir()
    for name, n in (("training.pt", 60_000), ("test.pt", 10_000)):
        torch.save((torch.ones(n, 28, 28, dtype=torch.uint8), torch.zeros(n, dtype=torch.long)), old / name)
    for name in FILES:
        (tmp_path / "MNIST" / "raw" / f"{name}.gz").write_bytes(gzip.compress(b"something else"))
    assert read(tmp_path) == first


def test_links_are_followed_and_what_is_decoded_was_checked(mirror, tmp_path, monkeypatch):
    first = read(tmp_path)
    labels = tmp_path / "MNIST" / "raw" / "train-labels-idx1-ubyte"
    moved = labels.rename(tmp_path / "labels")
    labels.symlink_to(moved)
    assert read(tmp_path) == first
    examine = downloads.Source._check

    def check_and_swap(self, file, path, content, sums) -> None:
        examine(self, file, path, content, sums)
        if path == labels:
            moved.write_bytes(content[:-1] + b"\1")

    monkeypatch.setattr(downloads.Source, "_check", check_and_swap)
    assert read(tmp_path) == first
    monkeypatch.undo()
    with pytest.raises(InputError, match="its checksum is not that"):
        read(tmp_path)


def test_a_file_that_was_deleted_is_fetched_again(mirror, tmp_path):
    first = read(tmp_path)
    (tmp_path / "MNIST" / "raw" / FILES[2]).unlink()
    assert read(tmp_path) == first


def test_checksums_that_leave_a_file_out_are_refused(mirror, tmp_path):
    read(tmp_path)
    (tmp_path / "MNIST" / downloads.CHECKSUMS).write_text("nonsense\n")
    with pytest.raises(InputError, match=r"SHA256SUMS: says nothing of raw/train-images-idx3-ubyte; delete .*MNIST,"):
        data.check("mnist", tmp_path)


@pytest.mark.parametrize("shape", [(5, 3, 4), (7,), (6, 8)])
def test_files_are_decoded_as_torchvision_does(tmp_path, rng, shape):
    from torchvision.datasets.mnist import read_sn3_pascalvincent_tensor

    file = downloads.Idx("x", shape, 12 if len(shape) == 2 else 8)
    values = rng.integers(0, 200, shape)
    (tmp_path / "x").write_bytes(file.header + values.astype(downloads.TYPES[file.type]).tobytes())
    content = (tmp_path / "x").read_bytes()
    assert len(content) == file.size
    np.testing.assert_array_equal(file.decode(content), values)
    np.testing.assert_array_equal(file.decode(content), read_sn3_pascalvincent_tensor(str(tmp_path / "x")))


def empty(folder: Path, *written: downloads.Idx) -> None:
    folder.mkdir(parents=True)
    for file in written:
        with (folder / file.name).open("wb") as opened:
            opened.write(file.header)
            opened.truncate(file.size)


def poke(path: Path, where: int, value: bytes) -> None:
    with path.open("rb+") as file:
        file.seek(where)
        file.write(value)


def test_qmnist_takes_the_class_from_its_long_labels(tmp_path):
    raw = tmp_path / "QMNIST" / "raw"
    kinds = [((60_000, 28, 28), 8, "images-idx3-ubyte"), ((60_000, 8), 12, "labels-idx2-int")]
    empty(raw, *(downloads.Idx(f"qmnist-{part}-{name}", shape, kind)
                 for part in ("train", "test") for shape, kind, name in kinds))  # fmt: skip
    poke(raw / "qmnist-test-labels-idx2-int", 12 + 32 * 5, struct.pack(">2i", 7, 3))
    poke(raw / "qmnist-test-images-idx3-ubyte", 16 + 2 * 784 + 28 + 3, b"\x09")
    found = registry.datasets["qmnist"].function(tmp_path, True)
    assert found.test_labels[4:7].tolist() == [0, 7, 0]
    assert found.test_images[2, 0, 1, 3] == 9
    assert found.train_images.shape == (60_000, 1, 28, 28)


def test_emnist_is_turned_upright_and_its_letters_count_from_0(tmp_path):
    raw = tmp_path / "EMNIST" / "raw"
    counts = {"train": 124_800, "test": 20_800}
    for part, n in counts.items():
        names = [(f"emnist-letters-{part}-images-idx3-ubyte", (n, 28, 28)),
                 (f"emnist-letters-{part}-labels-idx1-ubyte", (n,))]  # fmt: skip
        empty(raw / part, *(downloads.Idx(*name) for name in names))
        for name, _ in names:
            (raw / part / name).rename(raw / name)
    poke(raw / "emnist-letters-test-labels-idx1-ubyte", 8, b"\x1a")
    poke(raw / "emnist-letters-test-images-idx3-ubyte", 16 + 28 + 3, b"\x09")
    found = registry.datasets["emnist-letters"].function(tmp_path, True)
    assert found.test_labels[0] == 25
    assert found.test_images[0, 0, 3, 1] == 9


# ------------------------------------------------------------------ layout


def strides(shape) -> tuple[int, ...]:
    return tuple(int(np.prod(shape[axis + 1 :])) for axis in range(len(shape)))


@pytest.mark.parametrize("settings", [{}, {"train_size": 300, "validation_size": 30}, {"input_scaling": "unit"}])
def test_tensors_lie_row_by_row_whether_shared_or_not(settings):
    loaded = load(**settings)
    with shared_data.share(loaded) as shared:
        opened = shared.open()
        for found in (loaded, opened):
            for pair in (found.train, found.test, found.validation or ()):
                for tensor in pair:
                    assert tensor.stride() == strides(tensor.shape)


@pytest.mark.slow
def test_the_numbers_do_not_depend_on_jobs_without_a_kernel(tmp_path):
    settings = {"dataset": "digits", "models": "cnn", "norms": "none,batch", "seeds": 2, "epochs": 1,
                "channels": "8,16", "inits": "scaled-normal:3"}  # fmt: skip
    found = [
        execution.run(Study.make(settings), tmp_path / str(jobs), device="cpu", jobs=jobs, compiled=False)
        for jobs in (1, 2)
    ]
    for name in ("train_loss", "test_loss", "test_accuracy", "weight_norm"):
        np.testing.assert_array_equal(found[0][name], found[1][name])


@pytest.mark.parametrize(("function", "told"), [
    (lambda folder, quiet: {}["x"], "mine cannot be loaded: KeyError: 'x' (line "),
    (lambda folder, quiet: sys.exit(7), "mine cannot be loaded: SystemExit: 7 (line "),
    (lambda folder, quiet: Path("/no/such").read_bytes(), "mine cannot be loaded: FileNotFoundError: "),
    (lambda folder, quiet: (1, 2, 3, 4), "mine cannot be loaded: TypeError: its function gives a tuple"),
    (lambda folder, quiet: data.Raw(*[np.zeros((2, 1, 3, 3)), np.zeros(2, int)] * 2), "the train part of mine is not "),
])  # fmt: skip
def test_a_data_set_that_is_not_what_it_says_is_told(register, tmp_path, function, told):
    register(registry.datasets, "mine", shape=(1, 4, 4), classes=2, train_size=2, test_size=2)(function)
    with pytest.raises(InputError) as caught:
        load(tmp_path, dataset="mine", batch_size=2)
    assert caught.value.problem.startswith(told)
