"""Files as they are found: told apart by what they hold, and read to the same answer or refused in one line."""

from __future__ import annotations

import gzip
import io
import zipfile

import pytest
from bnstudy.study.errors import InputError

from tests.analysis.external.made_up import ANSWER, SAID, gains, score, table, writer

TEXT = table().to_csv(index=False)
NAMES = ("norm", "init", "seed", "step", "acc")


def zipped() -> bytes:
    """A zip archive with the table."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("runs.csv", TEXT)
    return data.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        TEXT, TEXT.replace(",", ";"), TEXT.replace(",", "\t"), TEXT.replace(",", "  "), TEXT.replace(",", " , "),
        "\ufeff" + TEXT, TEXT.replace("\n", "\r\n"), TEXT.replace("\n", "\r"), '#{"env": 1}\n# by hand\n\n' + TEXT,
        TEXT.replace("\n", ",\n"), gzip.compress(TEXT.encode()), table().to_csv(),
        table().to_json(orient="records", lines=True), table().to_json(orient="records"),
    ],
    ids=["csv", "semicolons", "tabs", "blanks", "padded", "bom", "crlf", "cr", "hash", "trailing", "gzip", "index",
         "json lines", "json"],
)  # fmt: skip
def test_the_answer_is_the_same_however_it_is_written(tmp_path, content):
    assert gains(score(writer(tmp_path)(content))) == ANSWER


def test_a_parquet_file_is_read(tmp_path):
    table().to_parquet(tmp_path / "runs.parquet")
    assert gains(score(tmp_path / "runs.parquet")) == ANSWER


def test_a_file_without_header_needs_the_names_of_its_columns(tmp_path):
    path = writer(tmp_path)(TEXT.partition("\n")[2])
    with pytest.raises(InputError, match="--columns"):
        score(path)
    assert gains(score(path, columns=NAMES)) == ANSWER
    with pytest.raises(InputError, match="2 names"):
        score(path, columns=NAMES[:2])
    with pytest.raises(InputError, match="has a header"):
        score(writer(tmp_path)(TEXT), columns=NAMES)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "is empty"),
        (" \n\n", "is empty"),
        (TEXT.partition("\n")[0], "no rows"),
        (bytes(range(256)), "no UTF-8"),
        (TEXT.replace("good", "gut für alles").encode("latin1"), "no UTF-8"),
        (TEXT.encode("utf-16"), "no UTF-8"),
        (TEXT + "\0", "binary"),
        (zipped(), "zip archive"),
        (gzip.compress(TEXT.encode())[:-9], "damaged"),
        (b"PAR1" + bytes(99) + b"PAR1", "no Parquet"),
        (TEXT + "a,b,1,2,3,4\n", "line 62"),
        (TEXT.replace("\n", ",7\n").replace(",7", "", 1), "no table"),
        (TEXT.replace("none", '"none', 1), "no table"),
        ("x" * 200_000 + "," + TEXT, "no header"),
        (TEXT + '"' + "x" * 200_000 + '",good,0,9,0.5\n', "short, plain text"),
        (TEXT.replace("init", "acc", 1), "'acc' twice"),
        ("{bad", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[1, 2]", "no rows"),
        ('{"log_history": [{"step": 1}],\n "epoch": 3}', "nested in 'log_history'"),
        ('{"log_history": [{"step": 1}], "epoch": 3}', "nested in 'log_history'"),
    ],
)
def test_what_is_no_table_is_refused_in_one_line(tmp_path, content, reason):
    with pytest.raises(InputError, match=reason) as refused:
        score(writer(tmp_path)(content), **SAID)
    assert "\n" not in str(refused.value)


def test_json_tells_nan_from_null(tmp_path):
    rows = table().to_json(orient="records", lines=True)
    scored = score(writer(tmp_path)(rows.replace('"acc":0.6}', '"acc":NaN}', 1)))
    assert int(scored.failed.sum()) == 1
    scored = score(writer(tmp_path)(rows.replace('"acc":0.6}', '"acc":null}', 1)))
    assert int(scored.failed.sum()) == 0
