"""Data of the user's: each odd but ordinary data set is trained on as it is meant, and what is a mistake is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from bnstudy.cli.plan import plan_rows
from bnstudy.study import registry
from bnstudy.study.errors import DataWarning, InputError
from bnstudy.study.study import Study
from bnstudy.training.datasets import data, own_data
from PIL import Image

TRAIN, TEST = 12, 6


@pytest.fixture(autouse=True)
def _forget():
    """Names registered in a test are gone after it."""
    before = set(registry.datasets)
    yield
    for name in set(registry.datasets) - before:
        del registry.datasets._entries[name]


def study(scaling: str = "standardize", **settings) -> Study:
    return Study.make({"dataset": "own", "input_scaling": scaling, "models": "mlp", "batch_size": 2, **settings})


def load(scaling: str = "standardize", **settings) -> data.Data:
    return data.load(study(scaling, **settings))


def pictures(count: int, *shape: int) -> np.ndarray:
    """Whole numbers from 0 to 255, both included."""
    found = np.random.default_rng(count).integers(0, 256, (count, *(shape or (8, 6))))
    found.flat[:2] = 0, 255
    return found


def own(**changes) -> dict:
    """A data set that is as it should be, with changes."""
    good = {"train_images": pictures(TRAIN).astype(np.uint8), "train_labels": np.arange(TRAIN) % 3,
            "test_images": pictures(TEST).astype(np.uint8), "test_labels": np.arange(TEST) % 3}  # fmt: skip
    return good | changes


def images(change) -> dict:
    return own(train_images=change(pictures(TRAIN)), test_images=change(pictures(TEST)))


def labels(change) -> dict:
    return own(train_labels=change(np.arange(TRAIN) % 3), test_labels=change(np.arange(TEST) % 3))


def in_a_file(values: np.ndarray, folder: Path) -> np.ndarray:
    path = folder / f"{len(values)}.npy"
    np.save(path, values)
    return np.load(path, mmap_mode="r")


def plain(images) -> np.ndarray:
    """Pixels in double precision, (n, channels, height, width)."""
    found = np.asarray(images.detach() if hasattr(images, "detach") else images).astype(np.float64)
    return found[:, None] if found.ndim == 3 else found


FITTING = {
    "uint8": (images(lambda x: x.astype(np.uint8)), 255),
    "uint8, dark": (images(lambda x: (x // 2).astype(np.uint8)), 255),
    "uint8, 4 bits": (images(lambda x: (x // 17).astype(np.uint8)), 15),
    "uint8, a mask": (images(lambda x: (x > 99).astype(np.uint8)), 1),
    "bool": (images(lambda x: x > 99), 1),
    "uint16": (images(lambda x: (x * 257).astype(np.uint16)), 65535),
    "int16 around 0": (images(lambda x: (x - 128).astype(np.int16)), 128),
    "int64": (images(lambda x: x), 255),
    "uint8 and int64": (own(test_images=pictures(TEST)), 255),
    "int64, large": (images(lambda x: x * 10**15), 255e15),
    "uint64": (images(lambda x: x.astype(np.uint64) * 2**55), 255 * 2.0**55),
    "float16": (images(lambda x: (x / 255).astype(np.float16)), 1),
    "float32": (images(lambda x: (x / 255).astype(np.float32)), 1),
    "float64": (images(lambda x: x / 255), 1),
    "float32 and float64": (own(train_images=(pictures(TRAIN) / 255).astype("f4"),
                                test_images=pictures(TEST) / 255), 1),
    "float64, far from 0": (images(lambda x: 1e3 + x / 255), 1e3 + 1),
    "float64, huge": (images(lambda x: x * 1e300), 255e300),
    "float64, tiny": (images(lambda x: x * 1e-300), 255e-300),
    "longdouble": (images(lambda x: (x / 255).astype(np.longdouble)), 1),
    "below 0": (images(lambda x: x / -255.0), 1),
    "lists": (own(train_images=pictures(TRAIN).tolist(), test_images=pictures(TEST).tolist()), 255),
    "tensors": (images(lambda x: torch.from_numpy(x).float()), 255),
    "tensors with a gradient": (images(lambda x: torch.from_numpy(x).float().requires_grad_()), 255),
    "bfloat16 tensors": (images(lambda x: torch.from_numpy(x).to(torch.bfloat16).float()), 255),
    "every other": (own(train_images=pictures(TRAIN, 8, 12)[:, :, ::2],
                        test_images=pictures(TEST, 8, 12)[:, :, ::2]), 255),
    "backwards": (images(lambda x: x[:, ::-1].astype(np.uint8)[:, ::-1]), 255),
    "Fortran's order": (images(lambda x: np.asfortranarray(x.astype(np.uint8))), 255),
    "swapped bytes": (images(lambda x: x.astype(">f4")), 255),
    "swapped bytes, whole": (images(lambda x: x.astype(">u2")), 255),
    "masked, nothing missing": (images(lambda x: np.ma.masked_array(x, mask=False)), 255),
    "one channel": (images(lambda x: x[:, None].astype(np.uint8)), 255),
    "colours": (own(train_images=pictures(TRAIN, 3, 8, 6), test_images=pictures(TEST, 3, 8, 6)), 255),
    "many channels": (own(train_images=pictures(TRAIN, 9, 4, 5), test_images=pictures(TEST, 9, 4, 5)), 255),
    "once channels-last": (own(train_images=pictures(TRAIN, 8, 6, 3).transpose(0, 3, 1, 2),
                               test_images=pictures(TEST, 8, 6, 3).transpose(0, 3, 1, 2)), 255),
    "a row": (own(train_images=pictures(TRAIN, 1, 9), test_images=pictures(TEST, 1, 9)), 255),
    "a column of one channel": (own(train_images=pictures(TRAIN, 1, 9, 1), test_images=pictures(TEST, 1, 9, 1)), 255),
    "3 pixels wide": (own(train_images=pictures(TRAIN, 1, 9, 3), test_images=pictures(TEST, 1, 9, 3)), 255),
    "two samples": (own(train_images=pictures(2), train_labels=[0, 1],
                        test_images=255 - pictures(2), test_labels=[1, 0]), 255),
    "rare class": (own(train_labels=[0] * 11 + [1], test_labels=[0, 0, 0, 0, 0, 1]), 255),
    **{f"labels of {kind}": (labels(lambda x, kind=kind: x.astype(kind)), 255)
       for kind in ("u1", "i1", "u2", ">i2", "i4", "u4", ">i8", "u8")},
    "labels in a list": (own(train_labels=[0, 1, 2] * 4, test_labels=[0, 1, 2] * 2), 255),
    "labels in a tensor": (labels(torch.from_numpy), 255),
    "labels of two kinds": (own(train_labels=(np.arange(TRAIN) % 3).astype("u8")), 255),
}  # fmt: skip


@pytest.mark.parametrize("kind", FITTING)
def test_what_is_trained_on_is_what_numpy_gives(kind):
    given, scale = FITTING[kind]
    own_data.register_arrays("own", **given)
    unit, standardized = load("unit"), load()
    train, test = (plain(given[f"{part}_images"]) / scale for part in ("train", "test"))
    for loaded, wanted in (
        (unit, (train, test)),
        (standardized, [(x - train.mean()) / train.std() for x in (train, test)]),
    ):
        for part, images in zip(("train", "test"), wanted, strict=True):
            found, numbers = getattr(loaded, part)
            assert (found.dtype, numbers.dtype) == (torch.float32, torch.int64)
            np.testing.assert_allclose(found, images, rtol=1e-5, atol=3e-6)
            assert numbers.tolist() == np.asarray(given[f"{part}_labels"]).tolist()
    assert unit.classes == len(np.unique(given["train_labels"]))


def test_read_only_maps_and_changes_afterwards(tmp_path):
    given = images(lambda x: in_a_file(x.astype(np.float32), tmp_path))
    own_data.register_arrays("own", **given)
    np.testing.assert_allclose(load("unit").train[0], plain(given["train_images"]) / 255, rtol=1e-6)
    changed = own()
    del registry.datasets._entries["own"]
    own_data.register_arrays("own", **changed)
    before = load().digest
    assert registry.datasets["own"].about["digest"] == before
    for array in changed.values():
        array[:] = 0
    assert load().digest == before


# ------------------------------------------------------------------ refused


class Silent:
    def __array__(self, *_: object) -> np.ndarray:
        raise RuntimeError


REFUSED = {
    "one axis too few": (own(train_images=np.zeros((12, 8))), r"must be \(n, height, width\)"),
    "one axis too many": (own(train_images=np.zeros((12, 1, 1, 8, 6))), r"must be \(n, height, width\)"),
    "no samples": (own(train_images=np.zeros((0, 8, 6)), train_labels=[]), r"must be \(n, height, width\)"),
    "no pixels": (images(lambda x: x[:, :0]), r"must be \(n, height, width\)"),
    "a number": (own(test_images=7), r"must be \(n, height, width\)"),
    "other shapes": (own(test_images=pictures(TEST, 3, 8, 6)), "differ in shape"),
    "NaN": (own(train_images=np.full((TRAIN, 8, 6), np.nan)), "train_images holds numbers that are not finite"),
    "infinity in the test part": (own(train_images=pictures(TRAIN) / 1, test_images=np.full((TEST, 8, 6), np.inf)),
                                  "test_images holds numbers that are not finite"),
    "too large for float64": (images(lambda x: x * np.longdouble("1e400")), "not finite"),
    "complex": (images(lambda x: x * 1j), "must hold real numbers, not complex128"),
    "objects": (images(lambda x: x.astype(object)), "must hold real numbers, not object"),
    "text": (images(lambda x: x.astype(str)), "must hold real numbers, not <U"),
    "times": (images(lambda x: x.astype("m8[s]")), "must hold real numbers, not timedelta"),
    "records": (images(lambda x: x.astype([("a", "f4")])), "must hold real numbers"),
    "an object that is none": (own(train_images=Silent()), "train_images is no array: RuntimeError"),
    "ragged": (own(train_images=[[[1, 2]], [[1]]]), "train_images is no array"),
    "sparse": (images(lambda x: torch.from_numpy(x).to_sparse()), "train_images is no array"),
    "missing": (images(lambda x: np.ma.masked_equal(x, 7)), "masked in part"),
    "colours last": (images(lambda x: np.stack([x] * 3, -1)), r"give train_images.transpose\(0, 3, 1, 2\)"),
    "colours and alpha last": (images(lambda x: np.stack([x] * 4, -1)), r"transpose\(0, 3, 1, 2\)"),
    "a square's grey last": (own(train_images=pictures(TRAIN, 8, 8, 1), test_images=pictures(TEST, 8, 8, 1)),
                             r"transpose\(0, 3, 1, 2\)"),
    "constant": (own(train_images=np.full((TRAIN, 8, 6), 9, np.uint8)), "all pixels of train_images are equal"),
    "scaled in the test part": (own(test_images=pictures(TEST) / 255), "are uint8 and test_images float64"),
    "scaled to 0 and 1": (own(test_images=(pictures(TEST) > 99).astype(np.uint8)), "reach 255 and test_images 1;"),
    "scaled in one part": (own(train_images=pictures(TRAIN) * 1.0, test_images=pictures(TEST) / 255), "in one range"),
    "scaled around 0": (own(train_images=pictures(TRAIN) / 128 - 1, test_images=pictures(TEST) * 1.0), "in one range"),
    "16 bits in one part": (own(train_images=(pictures(TRAIN) * 257).astype("u2")), "reach 65535 and test_images 255"),
    "black in the test part": (own(test_images=np.zeros((TEST, 8, 6), np.uint8)), "test_images 0;"),
    "too few labels": (own(train_labels=np.zeros(11, int)), "train_labels must be 12 whole numbers"),
    "negative labels": (labels(lambda x: x - 1), "12 whole numbers from 0, one an image, not -1"),
    "labels beyond int64": (labels(lambda x: x.astype("u8") + np.uint64(2**63)), "whole numbers"),
    "real labels": (own(test_labels=np.zeros(TEST)), r"test_labels must be 6 .* not float64; give test_labels.astype"),
    "boolean labels": (labels(lambda x: x > 0), "not bool"),
    "text labels": (labels(lambda x: x.astype(str)), "return_inverse"),
    "labels of objects": (labels(lambda x: x.astype(object)), "return_inverse"),
    "masked labels": (labels(lambda x: np.ma.masked_equal(x, 1)), "masked in part"),
    "a column of labels": (labels(lambda x: x[:, None]), r"give train_labels.ravel\(\)"),
    "a column a class": (labels(lambda x: np.eye(3, dtype=int)[x]), r"give train_labels.argmax\(1\)"),
    "one class": (labels(lambda x: x * 0 + 4), "one class alone, 4"),
    "a class in the test part alone": (own(test_labels=[0, 1, 2, 0, 1, 7]), "test_labels hold 7, which no training"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_a_mistake_is_refused_in_one_line(kind):
    given, wanted = REFUSED[kind]
    with pytest.raises(InputError, match=wanted) as caught:
        own_data.register_arrays("own", **given)
    assert caught.value.problem.startswith("own: ")
    assert "\n" not in caught.value.problem
    assert "own" not in registry.datasets


def test_pixels_that_are_equal_where_one_trains_are_refused():
    train = np.zeros((TRAIN, 8, 6), np.uint8)
    train[0, 0, 0] = 200  # in one sample of twelve, which is not among the first two drawn
    own_data.register_arrays("own", **own(train_images=train, test_images=train[:TEST, ::-1]))
    for scaling in ("unit", "standardize"):
        with pytest.raises(InputError, match="all pixels of the 2 samples of own trained on are equal"):
            load(scaling, train_size=2)


@pytest.mark.parametrize("unit", [1e-15, 1e-9])  # of which a pixel has 0 to 255, above 1: equal, or three levels
def test_pixels_that_single_precision_cannot_tell_apart_are_refused(unit):
    own_data.register_arrays("own", **images(lambda x: 1 + x * unit))
    assert load("standardize").train[0].std() > 0.9
    with pytest.raises(InputError, match="too close to each other for single precision"):
        load("unit")


# ------------------------------------------------------------------ told

TOLD = {
    "labels from 1": (labels(lambda x: x + 1), "labels 1, 2, 3 are numbered 0 to 2"),
    "gaps": (labels(lambda x: x * 450), "labels 0, 450, 900 are numbered 0 to 2"),
    "large labels": (labels(lambda x: x + 2**62), "are numbered 0 to 2"),
    "many labels": (own(train_labels=np.arange(TRAIN) % 6 + 1, test_labels=np.arange(TEST) + 1),
                    "labels 1, 2, 3, 4, … 6 are numbered 0 to 5"),
    "a class for training alone": (own(test_labels=[0, 1] * 3), r"classes that the test part lacks: 2 \(1 of 3\)"),
    "a shift": (own(test_images=(pictures(TEST) // 20 + 235).astype(np.uint8)), "test images differ from"),
    "a stretch": (own(test_images=(pictures(TEST) // 4 + 96).astype(np.uint8)), "test images differ from"),
    "around 0 in one part": (own(train_images=pictures(TRAIN) / 255, test_images=pictures(TEST) / 64 - 2), "alike"),
}  # fmt: skip


@pytest.mark.parametrize("kind", TOLD)
def test_what_may_be_a_mistake_is_told_where_it_is_seen(kind):
    given, wanted = TOLD[kind]
    own_data.register_arrays("own", **given)
    with pytest.warns(DataWarning, match=wanted):
        load()
    entry = registry.datasets["own"]
    assert entry.about["note"] in entry.summary
    rows = dict(plan_rows(study(), (type("E", (), {"runs": [1]})(),), "cpu", Path("x")))
    assert rows[""] == entry.about["note"]


def test_test_images_that_are_training_images_are_told():
    given = own()
    given["test_images"] = np.array(given["train_images"])[: len(given["test_images"])]
    own_data.register_arrays("own", **given)
    n = len(given["test_images"])
    with pytest.warns(DataWarning, match=f"{n} of {n} test images are in the training part too"):
        load()


def test_labels_are_numbered_in_their_order_over_both_parts():
    own_data.register_arrays("own", **own(train_labels=[30, 7, 500] * 4, test_labels=[500, 30, 7] * 2))
    with pytest.warns(DataWarning, match="labels 7, 30, 500 are numbered 0 to 2"):
        loaded = load()
    assert loaded.train[1][:3].tolist() == [1, 0, 2]
    assert loaded.test[1][:3].tolist() == [2, 1, 0]
    assert loaded.classes == 3
    assert registry.datasets["own"].about["label_names"] == (7, 30, 500)


def test_the_digest_holds_all_that_is_trained_on():
    raws = [data.Raw(*userdata_raw) for userdata_raw in (
        (pictures(4), np.arange(4), pictures(2), np.arange(2)),
        (pictures(4).astype(float), np.arange(4), pictures(2), np.arange(2)),
        (pictures(4).reshape(4, 6, 8), np.arange(4), pictures(2), np.arange(2)),
        (pictures(4), np.arange(4)[::-1], pictures(2), np.arange(2)),
        (pictures(4), np.arange(4), pictures(2)[::-1], np.arange(2)),
        (pictures(4), np.arange(4), pictures(2), np.arange(2) + 1),
        (pictures(4), np.arange(4), pictures(2), np.arange(2), 16.0),
        (pictures(4), np.arange(4), pictures(2), np.arange(2), 255.0, (3, 4)),
    )]  # fmt: skip
    assert len({raw.digest for raw in raws}) == len(raws)
    assert raws[0].digest == data.Raw(pictures(4), np.arange(4), pictures(2), np.arange(2)).digest


# ------------------------------------------------------------------ .npz


def test_a_file_is_read_when_a_study_loads_it(tmp_path, monkeypatch):
    path = tmp_path / "a.npz"
    np.savez(path, **own())
    monkeypatch.chdir(tmp_path)
    own_data.register_npz("own", "a.npz")
    monkeypatch.chdir("/")
    before = load()
    assert before.digest == registry.datasets["own"].about["digest"]
    np.savez(path, **images(lambda x: (255 - x).astype(np.uint8)))
    after = load()
    assert after.digest != before.digest
    assert not torch.equal(after.train[0], before.train[0])
    np.savez(path, **own(train_labels=np.arange(TRAIN) % 6, test_labels=np.arange(TEST)))
    with pytest.raises(InputError, match=r"own is no longer what was registered \(its classes was 3 and is 6\)"):
        load()
    path.unlink()
    with pytest.raises(InputError, match=r"a\.npz: cannot be read as \.npz: there is no such file"):
        load()


def whole(path: Path) -> bytes:
    np.savez_compressed(path, **own())
    return path.read_bytes()


@pytest.mark.parametrize(
    ("make", "wanted"),
    [
        (lambda path: path.write_bytes(b"no"), "cannot be read"),
        (lambda path: path.write_bytes(whole(path)[:900]), "cannot be read"),
        (lambda path: path.write_bytes(whole(path).replace(b"NUMPY", b"NUMBY")[:400] + bytes(99)), "cannot be read"),
        (lambda path: path.mkdir(), "cannot be read"),
        (lambda path: np.save(path.open("wb"), pictures(3)), "cannot be read"),
        (lambda path: np.savez(path, **own(train_images=np.array([{}] * TRAIN))), "cannot be read"),
        (lambda path: np.savez(path, train_images=np.zeros(3)), "holds no train_labels; it needs train_images, "),
        (lambda path: None, "there is no such file"),
    ],
    ids=["text", "cut", "damaged", "folder", "npy", "objects", "parts missing", "missing"],
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_wrong_files_are_refused(tmp_path, make, wanted):
    make(tmp_path / "a.npz")
    with pytest.raises(InputError, match=rf"a\.npz: .*{wanted}") as caught:
        own_data.register_npz("own", tmp_path / "a.npz")
    assert "\n" not in caught.value.problem


# ------------------------------------------------------------------ folders of images


def saved(folder: Path, pixels, ending: str = "png", count: int = 8) -> np.ndarray:
    """Pictures of two classes: six to train on, the rest to test."""
    made = np.stack([pixels(i) for i in range(count)])
    for i, picture in enumerate(made):
        path = folder / ("train" if i < 6 else "test") / ("cat" if i % 2 else "ape") / f"{i}.{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)
    return made


def colours(i: int) -> np.ndarray:
    return pictures(20, 8, 6, 3)[i].astype(np.uint8)


def deep(i: int) -> np.ndarray:
    return (pictures(20)[i] * 257).astype(np.uint16)


def test_a_folder_of_images_becomes_data(tmp_path):
    made = saved(tmp_path, colours)
    own_data.register_image_folder("own", tmp_path, size=(8, 6))
    loaded = load("unit")
    np.testing.assert_allclose(loaded.train[0], made[[0, 2, 4, 1, 3, 5]].transpose(0, 3, 1, 2) / 255, rtol=1e-6)
    assert loaded.train[1].tolist() == [0, 0, 0, 1, 1, 1]
    assert loaded.shape == (3, 8, 6)
    assert registry.datasets["own"].about["label_names"] == ("ape", "cat")
    (tmp_path / "test" / "ape" / "x.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"x\.png: cannot be read as an image"):
        load()
    saved(tmp_path, colours, "jpg", 7)
    (tmp_path / "test" / "ape" / "x.png").unlink()
    with pytest.raises(InputError, match="no longer what was registered"):
        load()


@pytest.mark.parametrize("ending", ["gif", "webp", "tif", "TIFF", "bmp", "ppm", "png", "tga"])
def test_every_format_that_pillow_reads_counts(tmp_path, ending):
    saved(tmp_path, lambda i: pictures(20)[i].astype(np.uint8), ending)
    own_data.register_image_folder("own", tmp_path, size=(8, 6), channels=1)
    assert len(load().train[0]) == 6


@pytest.mark.parametrize(
    ("pixels", "ending", "largest"),
    [(deep, "png", 65535), (deep, "tif", 65535), (lambda i: (deep(i) / 7e4).astype(np.float32), "tif", 65535 / 7e4),
     (lambda i: deep(i).astype(np.int32) * 9, "tif", 65535 * 9)],
)  # fmt: skip
@pytest.mark.parametrize("channels", [1, 3])
def test_deep_pictures_keep_their_depth(tmp_path, pixels, ending, largest, channels):
    made = saved(tmp_path, pixels, ending).astype(np.float64)
    own_data.register_image_folder("own", tmp_path, size=(8, 6), channels=channels)
    wanted = np.repeat(made[[0, 2, 4, 1, 3, 5]][:, None], channels, 1)
    loaded = load("unit")
    assert len(np.unique(loaded.train[0])) > 100
    np.testing.assert_allclose(loaded.train[0], wanted / made[:6].max(), rtol=1e-6)
    del registry.datasets._entries["own"]
    own_data.register_image_folder("own", tmp_path, size=(4, 3), channels=channels)
    assert load().shape == (channels, 4, 3)


def test_pictures_of_different_depth_are_refused_by_name(tmp_path):
    saved(tmp_path, deep)
    Image.fromarray(pictures(20)[0].astype(np.uint8)).save(tmp_path / "test" / "cat" / "7.png")
    own_data.register_image_folder("own", tmp_path, size=(8, 6), channels=1)
    with pytest.raises(InputError, match=r"7\.png: 8 bits, where .*0\.png has 16 bits"):
        load()


def test_what_is_no_picture_or_less_than_it_seems_is_told(tmp_path):
    saved(tmp_path, lambda i: np.dstack([colours(i), np.full((8, 6), 255 - i, np.uint8)]))
    (tmp_path / "train" / "cat" / "notes.txt").write_text("x")
    (tmp_path / "train" / "cat" / ".DS_Store").write_text("x")
    (tmp_path / "train" / ".hidden").mkdir()
    (tmp_path / "train" / "dog").mkdir()
    Image.fromarray(colours(9)).save(tmp_path / "train" / "dog" / "9.png")
    own_data.register_image_folder("own", tmp_path, size=(8, 6))
    assert "files in its class folders that are no pictures: 1" in registry.datasets["own"].summary
    with pytest.warns(DataWarning) as caught:
        load()
    told = " ".join(str(warning.message) for warning in caught)
    for wanted in ("files in its class folders that are no pictures: 1 (such as", "notes.txt", "transparent in part",
                   "classes that the test part lacks: dog (1 of 3)"):  # fmt: skip
        assert wanted in told
    (tmp_path / "test" / "cow").mkdir()
    Image.fromarray(colours(9)).save(tmp_path / "test" / "cow" / "9.png")
    with pytest.raises(InputError, match="only test has 'cow'"):
        load()


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [({}, "no folder of images"), ({"size": 8}, "size must be"), ({"size": (8, 0)}, "size must be"),
     ({"channels": 2}, "channels must be 3")],
)  # fmt: skip
def test_wrong_folders_are_refused(tmp_path, settings, wanted):
    with pytest.raises(InputError, match=wanted):
        own_data.register_image_folder("own", tmp_path, **{"size": (8, 8), **settings})


def test_pictures_that_memory_cannot_hold_are_refused(tmp_path):
    for part in ("train", "test"):
        (tmp_path / part / "cat").mkdir(parents=True)
        Image.fromarray(colours(9)).save(tmp_path / part / "cat" / "1.png")
    with pytest.raises(InputError, match=r"2 pictures of 1000000×1000000 take .* GiB .* choose a smaller size"):
        own_data.register_image_folder("own", tmp_path, size=(10**6, 10**6))
