"""The page in a real browser: buttons pressed, pictures compared, a hostile upload refused."""

from __future__ import annotations

import io
import urllib.request

import numpy as np
import pytest
from painter import Painter
from PIL import Image

pytest.importorskip("gradio", reason="needs the extra `demo`")

from sdgan_tf.demo import app  # noqa: E402, needs what is asked for above
from sdgan_tf.demo import page as pages  # noqa: E402

PATIENCE = 120_000
SIZE = 64
# As it is shown, with 2 pixels between.
EDGE, STEP = 128, 130
LIMITS = app.Limits(megabytes=1, pixels=1_000_000)


@pytest.fixture(scope="module")
def models():
    """Return two models to choose from."""
    return {"faces/1": Painter(image_size=SIZE), "shoes/1": Painter(d_i=3, image_size=SIZE)}


@pytest.fixture(scope="module")
def address(models):
    """Serve the page."""
    blocks = app.build(models, LIMITS)
    yield app.launch(blocks, "127.0.0.1", None, LIMITS)
    blocks.close()


@pytest.fixture
def page(browser, address):
    """Return the page, open, and note whom else it asks for anything."""
    opened = browser.new_page(viewport={"width": 1280, "height": 1000})
    opened.set_default_timeout(PATIENCE)
    opened.others = []
    opened.on("request", lambda request: opened.others.append(request.url))
    opened.goto(address)
    opened.wait_for_selector("#grid img")
    yield opened
    opened.close()


def shown(page, name="grid"):
    """Return the 16 pictures of an image of the page: uint8 [4, 4, 128, 128, 3]."""
    url = page.locator(f"#{name} img").get_attribute("src")
    with urllib.request.urlopen(url) as response:
        picture = np.asarray(Image.open(io.BytesIO(response.read())).convert("RGB"))
    padded = np.pad(picture, ((0, 2), (0, 2), (0, 0)))
    return padded.reshape(4, STEP, 4, STEP, 3).transpose(0, 2, 1, 3, 4)[:, :, :EDGE, :EDGE]


def grid_of(model, seed):
    """Return what the page shows of a model for a seed."""
    return pages.enlarged(model, model.generate(4, 4, seed=seed))


def after(page, act, name="grid"):
    """Act, and return what an image of the page shows once it has changed."""
    image = page.locator(f"#{name} img")
    before = image.get_attribute("src") if image.count() else ""
    act()
    page.wait_for_function(
        "([name, before]) => { const i = document.querySelector(`#${name} img`); return i && i.src !== before; }",
        arg=[name, before],
    )
    return shown(page, name)


def click(page, row, column):
    """Click a picture of the grid."""
    image = page.locator("#grid img")
    box = image.bounding_box()
    point = {"x": box["width"] * (column + 0.5) / 4, "y": box["height"] * (row + 0.5) / 4}
    return after(page, lambda: image.click(position=point))


def test_buttons_change_their_row_or_column_and_nothing_else(page, models):
    before = shown(page)
    np.testing.assert_array_equal(before, grid_of(models["faces/1"], 0))
    rows = after(page, page.locator("#person-1").click)
    same = (rows == before).all(axis=(2, 3, 4))
    assert same.tolist() == [[row != 1] * 4 for row in range(4)]
    columns = after(page, page.locator("#view-3").click)
    same = (columns == rows).all(axis=(2, 3, 4))
    assert same.tolist() == [[True, True, True, False]] * 4


def test_two_clicked_pictures_open_the_ways_between(page):
    grid = shown(page)
    click(page, 0, 1)
    ways = after(page, lambda: click(page, 3, 2), "between")
    for place, cell in (((0, 0), (0, 1)), ((3, 3), (3, 2)), ((0, 3), (0, 2)), ((3, 0), (3, 1))):
        np.testing.assert_array_equal(ways[place], grid[cell])


def test_everything_new_another_seed_another_model(page, models):
    found = after(page, page.locator("#everything").click)
    np.testing.assert_array_equal(found, grid_of(models["faces/1"], 1))
    seed = page.locator("#seed input")
    seed.fill("7")
    found = after(page, lambda: seed.press("Enter"))
    np.testing.assert_array_equal(found, grid_of(models["faces/1"], 7))
    page.locator("#model input").click()
    found = after(page, page.get_by_role("option", name="shoes/1").click)
    np.testing.assert_array_equal(found, grid_of(models["shoes/1"], 7))


def test_without_variety_all_rows_are_one(page):
    slider = page.locator("#who input[type=range]")
    slider.focus()
    found = after(page, lambda: slider.press("Home"))
    for row in found[1:]:
        np.testing.assert_array_equal(row, found[0])


def png(picture):
    """Return a picture as the bytes of a PNG file."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()


def send(page, name, contents):
    """Upload a file."""
    file = {"name": name, "mimeType": "image/png", "buffer": contents}
    page.locator("input[type=file]").set_input_files(file)


def test_a_photo_takes_the_first_row_and_column(page, models):
    before = shown(page)
    photo = models["faces/1"].generate([77], [78])[0, 0]
    found = after(page, lambda: send(page, "me.png", png(photo)))
    page.wait_for_selector("#pair img")
    np.testing.assert_array_equal(found[1:, 1:], before[1:, 1:])
    assert not np.array_equal(found[0, 0], before[0, 0])
    assert "Error " in page.locator("#words").inner_text()
    # The photo's own person, in other views.
    varied = after(page, page.locator("#view-0").click)
    np.testing.assert_array_equal(varied[0, 1:], found[0, 1:])


@pytest.mark.parametrize(
    ("name", "contents", "message"),
    [
        ("me.png", b"%!PS-Adobe-3.0 EPSF-3.0\n", "not an image"),
        ("me.png", png(np.zeros((1001, 1000, 3), np.uint8)), "1,001,000 pixels"),
        ("me.png", png(np.zeros((64, 64, 3), np.uint8))[:-40], "cannot be decoded"),
        ("me.png", b"x" * (2**20 + 1), "exceeds|size"),
    ],
    ids=["program", "bomb", "damaged", "giant"],
)
def test_hostile_uploads_are_refused_and_the_page_lives_on(page, name, contents, message):
    before = shown(page)
    send(page, name, contents)
    page.wait_for_selector(".toast-body")
    text = page.locator(".toast-body").first.inner_text()
    assert any(part in text for part in message.split("|")), text
    np.testing.assert_array_equal(shown(page), before)
    after(page, page.locator("#person-0").click)


def test_the_page_asks_no_other_server(page, address):
    assert page.others
    assert [url for url in page.others if not url.startswith((address, "data:", "blob:"))] == []


def test_no_handler_is_an_interface_for_programs(address):
    with urllib.request.urlopen(f"{address}gradio_api/info") as response:
        assert b'"named_endpoints":{}' in response.read().replace(b" ", b"")
