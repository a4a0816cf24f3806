"""Manifests: CSV and JSONL files that say who is in which file."""

from __future__ import annotations

import json

import pytest

from sdgan_tf import data

pytestmark = pytest.mark.once

COUNTS = {"ann": 2, "bob": 2, "cyd": 2}
ROWS = [
    {"path": f"{name}/{number:02d}.png", "identity": name, "split": part}
    for name, part in (("ann", "train"), ("bob", "test"), ("cyd", "validation"))
    for number in range(2)
]


def write(path, rows):
    if path.suffix == ".jsonl":
        lines = [json.dumps(row) for row in rows]
    else:
        columns = list(rows[0])
        lines = [",".join(columns), *(",".join(map(str, row.values())) for row in rows)]
    path.write_text(
        "\n".join(lines) + "\n", encoding="utf-8-sig" if path.suffix == ".csv" else None
    )
    return path


@pytest.mark.parametrize("name", ["list.csv", "list.jsonl"])
def test_a_manifest_tells_identities_and_parts(name, make_folder, tmp_path):
    folder = make_folder(COUNTS)
    expected = data.from_directory(folder, image_size=8)
    manifest = write(tmp_path / name, ROWS)
    made = data.from_directory(folder, image_size=8, manifest=manifest)
    assert made.fingerprint == expected.fingerprint
    assert [part.names for part in made.split()] == [["ann"], ["cyd"], ["bob"]]
    assert data.load(folder, 8, manifest=manifest).parts == made.parts
    assert data.check(folder, 8, manifest=manifest, k=2).clean
    data.build(folder, tmp_path / "built", 8, manifest=manifest)
    built = data.from_built(tmp_path / "built")
    assert (built.fingerprint, built.parts) == (made.fingerprint, made.parts)
    with pytest.raises(
        ValueError, match="built data and TFRecords tell themselves. Received: manifest="
    ):
        data.load(tmp_path / "built", 8, manifest=manifest)

    # Without parts identities are split by name; another grouping, numbers, and fewer files.
    other = [
        {"identity": number % 2, "path": row["path"], "age": 7} for number, row in enumerate(ROWS)
    ]
    made = data.from_directory(folder, 8, manifest=write(tmp_path / name, other[:5]))
    assert made.names == ["0", "1"] and made.counts.tolist() == [3, 2] and made.parts == {}
    assert made.report.ignored == {"(column age)": 5}


def test_bad_rows_are_listed_with_their_lines(make_folder, tmp_path):
    rows = [{key: row[key] for key in ("path", "identity")} for row in ROWS]
    rows += [dict(rows[0]), {"path": "", "identity": "ann"}, {"path": "x.png", "identity": ""}]
    rows += [
        {"path": "gone.png", "identity": "ann"},
        {"path": "ann/../ann/00.png", "identity": "bob"},
    ]
    manifest = write(tmp_path / "list.csv", rows)
    folder = make_folder(COUNTS)
    broken = dict(data.check(folder, 8, manifest=manifest).broken)
    assert broken == {
        "list.csv, line 8": "ann/00.png was listed before",
        "list.csv, line 9": "it has no path",
        "list.csv, line 10": "it has no identity",
        "list.csv, line 12": "ann/../ann/00.png was listed before",
        "gone.png": "cannot be read: No such file or directory",
    }
    with pytest.raises(data.BadData, match="line 8"):
        data.from_directory(folder, 8, manifest=manifest)
    assert data.from_directory(folder, 8, manifest=manifest, on_bad_data="skip").counts.sum() == 6


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("list.txt", "path identity\n", "Received: manifest='.*list.txt'"),
        ("list.csv", "file,identity\na,b\n", "its first line has no path"),
        ("list.csv", "", "its first line has no identity and no path"),
        ("list.jsonl", '{"path": 1\n', "cannot be read"),
        ("list.jsonl", "[1]\n", "line 1 holds no JSON object"),
        ("list.csv", "path,identity\nann/00.png,ann\n", "At least 2 identities"),
        ("gone.csv", None, "cannot be read: .*No such file"),
    ],
)
def test_what_is_no_manifest_is_refused(name, text, message, make_folder, tmp_path):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        data.load(make_folder(COUNTS), 8, manifest=tmp_path / name)
    with pytest.raises(ValueError, match="which is no folder"):
        data.check(tmp_path / "nowhere", 8, manifest=tmp_path / name)


@pytest.mark.parametrize("parts", [{"ann": "train"}, {"ann": "x", "bob": "x", "cyd": "x"}, ["ann"]])
def test_damaged_parts_of_built_data_are_refused(parts, make_folder, tmp_path):
    built = tmp_path / "built"
    data.build(make_folder(COUNTS), built, 8, manifest=write(tmp_path / "list.csv", ROWS))
    index = json.loads((built / "index.json").read_text())
    (built / "index.json").write_text(json.dumps({**index, "parts": parts}))
    with pytest.raises(ValueError, match="no good index"):
        data.from_built(built)
