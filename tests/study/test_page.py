"""The page of a study as an annotator uses it, in a real browser without a network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sdgan_tf import study
from sdgan_tf.study import read_answers, read_key
from tests import tiny


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with a study of eight pairs."""
    splits = tiny.people(8).split(0, 1)
    made = study.make(tiny.people(8, seed=1), splits, pairs=8, question="Same <thing>?")
    return made.save(tmp_path_factory.mktemp("studies") / "study")


@pytest.fixture
def page(browser, folder):
    """Return the page, opened by a browser that has never seen it; mistakes of its code fail."""
    context = browser.new_context(offline=True)
    opened = context.new_page()
    mistakes, requests = [], []
    opened.on("pageerror", lambda error: mistakes.append(str(error)))
    opened.on("console", lambda message: mistakes.append(message.text))
    opened.on("request", lambda request: requests.append(request.url))
    opened.goto((folder / "page.html").as_uri())
    yield opened
    context.close()
    assert not mistakes
    assert all(url.startswith(("file:", "data:", "blob:")) for url in requests)


def begin(page, name="Anna B."):
    """Give a name and start."""
    page.fill("#name", name)
    page.click("#start button")


def saved(page, button: str, path: Path) -> Path:
    """Click a button that saves, and return the file."""
    with page.expect_download() as download:
        page.click(button)
    assert download.value.suggested_filename.endswith("-Anna_B..csv")
    download.value.save_as(path)
    return path


def test_buttons_and_keys_answer_undo_and_save(page, folder, tmp_path):
    assert page.text_content("#start .question") == "Same <thing>?"
    begin(page)
    assert page.text_content("#count") == "1 of 8"
    assert page.is_disabled("#undo")
    for key in ("y", "ArrowLeft", "N", "ArrowRight"):
        page.keyboard.press(key)
    page.click("#yes")
    page.click("#no")
    assert page.text_content("#count") == "7 of 8"
    page.click("#undo")
    page.keyboard.press("Backspace")
    assert page.text_content("#count") == "5 of 8"
    key = read_key(folder / "key.json")
    part = read_answers([saved(page, "#early", tmp_path / "part.csv")], key)
    np.testing.assert_array_equal(part["Anna B."], [1, 0, 0, 1, -1, -1, -1, -1])
    for _ in range(4):
        page.click("#yes")
    assert page.is_visible("#end")
    page.click("#back")
    assert page.text_content("#count") == "8 of 8"
    page.keyboard.press("n")
    whole = read_answers([saved(page, "#save", tmp_path / "whole.csv")], key)
    np.testing.assert_array_equal(whole["Anna B."], [1, 0, 0, 1, 1, 1, 1, 0])


def test_answers_outlast_the_page_and_belong_to_their_annotator(page):
    begin(page)
    for _ in range(3):
        page.keyboard.press("y")
    page.reload()
    assert page.input_value("#name") == "Anna B."
    page.click("#start button")
    assert page.text_content("#count") == "4 of 8"
    page.reload()
    begin(page, "Ben")
    assert page.text_content("#count") == "1 of 8"


def test_images_are_those_of_the_pair_large_and_sharp(page):
    begin(page)
    first = page.evaluate("[left.src, right.src, study.pairs[0].left, study.pairs[0].right]")
    assert first[:2] == first[2:]
    box = page.locator("#left").bounding_box()
    assert box["width"] == box["height"] > 300
    assert page.evaluate("[left.naturalWidth, getComputedStyle(left).imageRendering]") == [
        8,
        "pixelated",
    ]


@pytest.mark.parametrize(("width", "height"), [(360, 640), (740, 360)])
def test_a_telephone_shows_all_without_scrolling(page, width, height):
    page.set_viewport_size({"width": width, "height": height})
    begin(page)
    for selector in ("#pair h1", "#left", "#right", "#yes", "#no", "#undo", "#early"):
        box = page.locator(selector).bounding_box()
        assert min(box["x"], box["y"]) >= 0, selector
        assert box["x"] + box["width"] <= width, selector
        assert box["y"] + box["height"] <= height, selector


def test_a_held_key_answers_once(page):
    begin(page)
    for _ in range(3):
        page.keyboard.down("y")
    assert page.text_content("#count") == "2 of 8"


@pytest.mark.parametrize("name", ["", "=1+1", "<b>", "a,b", "_", "x" * 61])
def test_names_that_would_be_refused_later_do_not_start(page, name):
    begin(page, name)
    # The field itself takes no more than 60 characters.
    assert page.is_visible("#pair") == (len(name) > 60)


def test_without_storage_it_works_and_says_so(browser, folder):
    page = browser.new_page()
    page.add_init_script("Storage.prototype.setItem = () => { throw new Error('full'); }")
    page.goto((folder / "page.html").as_uri())
    begin(page)
    page.keyboard.press("y")
    assert page.text_content("#count") == "2 of 8"
    assert "save them before you close" in page.text_content("#notice")
    page.close()
