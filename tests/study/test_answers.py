"""Keys and answers: what is read, and what is refused with the place and the reason."""

from __future__ import annotations

import numpy as np
import pytest

from sdgan_tf.study import answers as study_answers
from sdgan_tf.study import read_answers, read_key
from tests.study.study_files import STUDY, write_answers, write_key

pytestmark = pytest.mark.once


@pytest.fixture
def key(tmp_path):
    """Return the key of the study of eight pairs."""
    return read_key(write_key(tmp_path))


def test_answers_stand_in_the_order_of_the_key(key, tmp_path):
    paths = [
        write_answers(tmp_path, "Anna B.", "ynyn--yn"),
        write_answers(tmp_path, "Ço-2", "-" * 7 + "y"),
    ]
    answers = read_answers(paths, key)
    assert list(answers) == ["Anna B.", "Ço-2"]
    np.testing.assert_array_equal(answers["Anna B."], [1, 0, 1, 0, -1, -1, 1, 0])
    np.testing.assert_array_equal(answers["Ço-2"], [-1] * 7 + [1])


def test_rows_in_any_order_with_the_mark_and_ends_of_a_spreadsheet(key, tmp_path):
    path = write_answers(tmp_path, "Anna", "yynn----")
    first, *rows = path.read_text().splitlines()
    path.write_bytes(("\ufeff" + "\r\n".join([first, *reversed(rows), ""])).encode())
    np.testing.assert_array_equal(read_answers([path], key)["Anna"], [1, 1, 0, 0] + [-1] * 4)


def test_an_annotator_may_send_two_parts(key, tmp_path):
    one, two = tmp_path / "1", tmp_path / "2"
    for folder in (one, two):
        folder.mkdir()
    paths = [write_answers(one, "Anna", "yyyy"), write_answers(two, "Anna", "----nnnn")]
    np.testing.assert_array_equal(read_answers(paths, key)["Anna"], [1] * 4 + [0] * 4)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (STUDY, "ba9876543210", rf"Anna.csv, line 2: .* 'ba9876543210', not '{STUDY}'"),
        (",8,yes", ",9,yes", "line 9: the study has no pair '9'"),
        (",8,yes", ",7,yes", "line 9: Anna has answered pair 7 before"),
        (",8,yes", ",8,YES", "line 9: answers are yes or no. Received: 'YES'"),
        (",8,yes", ",8,", "line 9: answers are yes or no. Received: ''"),
        (",8,yes", ",8", "line 9: a row has the 4 values"),
        (",8,yes", ",8,yes,no", "line 9: a row has the 4 values"),
        (",Anna,8", ",,8", "line 9: an annotator's name .* Received: ''"),
        (",Anna,8", ",=1+1|<b>,8", r"line 9: an annotator's name .* Received: '=1\+1"),
        (",8,yes", ',8,"yes', "Anna.csv, line .*: unexpected end of data"),
        ("pair,same", "pair,answer", "no file of answers, whose first line is study,"),
    ],
)
def test_what_is_no_answer_is_refused_with_its_place(old, new, message, key, tmp_path):
    path = write_answers(tmp_path, "Anna", "yyyyyyyy")
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ValueError, match=message):
        read_answers([path], key)


def test_a_file_given_twice_is_refused(key, tmp_path):
    path = write_answers(tmp_path, "Anna", "yyyyyyyy")
    with pytest.raises(ValueError, match="Anna has answered pair 1 before. Give each file once"):
        read_answers([path, path], key)


def test_files_without_answers_are_refused(key, tmp_path):
    with pytest.raises(ValueError, match="Nothing was answered. Received: .*Anna.csv"):
        read_answers([write_answers(tmp_path, "Anna", "--------")], key)
    with pytest.raises(ValueError, match="Received: no file"):
        read_answers([], key)


def test_what_is_no_text_or_too_long_is_refused(key, tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="a.csv is not text in UTF-8"):
        read_answers([path], key)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="no file of answers"):
        read_answers([path], key)
    monkeypatch.setattr(study_answers, "MAX_BYTES", 100)
    path.write_bytes(b"s" * 101)
    with pytest.raises(ValueError, match="more than 100 bytes"):
        read_answers([path], key)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"study": "a", "question": "b", "pairs": [1]}'])
def test_what_is_no_key_is_refused(text, tmp_path):
    path = tmp_path / "key.json"
    path.write_text(text)
    with pytest.raises(ValueError, match="key.json is not a key that `bin/study make` wrote"):
        read_key(path)
