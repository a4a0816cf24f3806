"""The page in a real browser: buttons pressed, images compared, a hostile upload refused."""

from __future__ import annotations

import io
import threading
import urllib.request

import numpy as np
import pytest
import urllib3
from PIL import Image

from tests.painter import Painter

pytest.importorskip("gradio", reason="needs the extra `demo`")

from sdgan_tf.demo import app  # noqa: E402, needs what is asked for above
from sdgan_tf.demo import page as pages  # noqa: E402
from sdgan_tf.demo.visitors import Limits  # noqa: E402

PATIENCE = 120_000
SIZE = 64
# As it is shown, with 2 pixels between.
EDGE, STEP = 128, 130
LIMITS = Limits(megabytes=1, pixels=1_000_000, waiting=3)


@pytest.fixture(scope="module")
def models():
    """Return two models to choose from."""
    return {"faces/1": Painter(image_size=SIZE), "shoes/1": Painter(d_i=3, image_size=SIZE)}


@pytest.fixture(scope="module")
def address(models, tmp_path_factory):
    """Serve the page."""
    blocks = app.build(models, tmp_path_factory.mktemp("photos"), LIMITS)
    yield app.launch(blocks, "127.0.0.1", None, LIMITS)
    blocks.close()


@pytest.fixture
def guarded(models, tmp_path):
    """Serve the page to those who know the password."""
    blocks = app.build(models, tmp_path, LIMITS)
    yield app.launch(blocks, "127.0.0.1", None, LIMITS, ("anna", "secret"))
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
    """Return the 16 images of a grid of the page: uint8 [4, 4, 128, 128, 3]."""
    url = page.locator(f"#{name} img").get_attribute("src")
    with urllib.request.urlopen(url) as response:
        grid = np.asarray(Image.open(io.BytesIO(response.read())).convert("RGB"))
    padded = np.pad(grid, ((0, 2), (0, 2), (0, 0)))
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
    """Click an image of the grid."""
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


def test_two_clicked_images_open_the_ways_between(page):
    grid = shown(page)
    click(page, 0, 1)
    ways = after(page, lambda: click(page, 3, 2), "between")
    for place, cell in (((0, 0), (0, 1)), ((3, 3), (3, 2)), ((0, 3), (0, 2)), ((3, 0), (3, 1))):
        np.testing.assert_array_equal(ways[place], grid[cell])


def test_everything_new_another_seed_another_model(page, models):
    changed = after(page, page.locator("#everything").click)
    np.testing.assert_array_equal(changed, grid_of(models["faces/1"], 1))
    seed = page.locator("#seed input")
    seed.fill("7")
    changed = after(page, lambda: seed.press("Enter"))
    np.testing.assert_array_equal(changed, grid_of(models["faces/1"], 7))
    page.locator("#model input").click()
    changed = after(page, page.get_by_role("option", name="shoes/1").click)
    np.testing.assert_array_equal(changed, grid_of(models["shoes/1"], 7))


def test_without_variety_all_rows_are_one(page):
    slider = page.locator("#who input[type=range]")
    slider.focus()
    changed = after(page, lambda: slider.press("Home"))
    for row in changed[1:]:
        np.testing.assert_array_equal(row, changed[0])


def png(image):
    """Return an image as the bytes of a PNG file."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def send(page, name, contents):
    """Upload a file."""
    file = {"name": name, "mimeType": "image/png", "buffer": contents}
    page.locator("input[type=file]").set_input_files(file)


def test_a_photo_takes_the_first_row_and_column(page, models):
    before = shown(page)
    photo = models["faces/1"].generate([77], [78])[0, 0]
    changed = after(page, lambda: send(page, "me.png", png(photo)))
    page.wait_for_selector("#pair img")
    np.testing.assert_array_equal(changed[1:, 1:], before[1:, 1:])
    assert not np.array_equal(changed[0, 0], before[0, 0])
    assert "Error " in page.locator("#words").inner_text()
    # The photo's own person, in other views.
    varied = after(page, page.locator("#view-0").click)
    np.testing.assert_array_equal(varied[0, 1:], changed[0, 1:])


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


def test_nobody_reaches_the_page_without_the_password(guarded, models, tmp_path):
    http = urllib3.PoolManager()
    photo = {"files": ("me.png", png(models["faces/1"].generate(1, 1)[0, 0]), "image/png")}

    def send(fields, **headers):
        return http.request("POST", f"{guarded}gradio_api/upload", fields=fields, headers=headers)

    def login(password):
        fields = {"username": "anna", "password": password}
        return http.request("POST", f"{guarded}login", fields=fields, encode_multipart=False)

    assert send(photo).status == 401
    assert login("guessed").status == 400
    entered = login("secret")
    assert entered.status == 200
    cookies = (item.split(";")[0] for item in entered.headers.getlist("set-cookie"))
    cookie = {"Cookie": "; ".join(cookies)}
    assert send({"files": ("me.png", b"%!PS", "image/png")}, **cookie).status == 415
    assert list(tmp_path.rglob("me.png")) == []
    answer = send(photo, **cookie)
    assert answer.status == 200
    assert [str(path) for path in tmp_path.rglob("me.png")] == answer.json()


def test_a_page_for_others_is_not_served_without_one(models, tmp_path):
    with pytest.raises(ValueError, match="asks for a password"):
        app.launch(app.build(models, tmp_path, LIMITS), "0.0.0.0", None, LIMITS)


def test_the_queue_has_an_end(models, tmp_path, monkeypatch):
    """Three events may wait behind the one that is at work."""
    at_work = threading.Event()
    monkeypatch.setattr(app.pages, "image", lambda *_: at_work.wait(30))
    blocks = app.build(models, tmp_path, LIMITS)
    address = app.launch(blocks, "127.0.0.1", None, LIMITS)
    index = next(i for i, item in blocks.fns.items() if item.name == "renew")
    event = {"data": ["faces/1", None, 1, 1], "fn_index": index, "session_hash": "visitor"}
    join = f"{address}gradio_api/queue/join"
    statuses = [urllib3.request("POST", join, json=event).status for _ in range(8)]
    at_work.set()
    blocks.close()
    assert statuses[:3] == [200] * 3 and statuses[-1] == 503
