"""What the page shows, without a browser: which button changes which images."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from sdgan_tf.demo import page as pages
from tests.painter import Painter


@pytest.fixture(scope="module")
def model():
    """Return a model of small images that all differ."""
    return Painter(image_size=8)


def cells(grid):
    """Return the images of a grid, 128 pixels each with 2 between: [4, 4, 128, 128, 3]."""
    padded = np.pad(grid, ((0, 2), (0, 2), (0, 0)))
    return padded.reshape(4, 130, 4, 130, 3).transpose(0, 2, 1, 3, 4)[:, :, :128, :128]


def test_the_first_grid_is_the_model_s_own(model):
    page = pages.new(model, 3)
    shown = cells(pages.image(model, page))
    np.testing.assert_array_equal(shown, pages.enlarged(model, model.generate(4, 4, seed=3)))


@pytest.mark.parametrize("index", range(4))
def test_a_button_changes_its_row_or_column_and_nothing_else(model, index):
    page = pages.new(model, 0)
    before = cells(pages.image(model, page))
    rows = cells(pages.image(model, pages.redraw_identity(model, page, index)))
    columns = cells(pages.image(model, pages.redraw_observation(model, page, index)))
    for row in range(4):
        for column in range(4):
            same = np.array_equal(rows[row, column], before[row, column])
            assert same == (row != index)
            same = np.array_equal(columns[row, column], before[row, column])
            assert same == (column != index)


def test_every_press_draws_somebody_new(model):
    page = pages.new(model, 0)
    seen = [tuple(code) for code in page.identity]
    for _ in range(5):
        page = pages.redraw_identity(model, page, 2)
        seen.append(tuple(page.identity[2]))
    assert len(set(seen)) == 9
    np.testing.assert_array_equal(page.identity[2], model.identity_codes([8])[0])


def test_clicks_choose_two_and_give_them_up(model):
    page = pages.new(model, 0)
    steps = [((0, 1), [(0, 1)]), (None, [(0, 1)]), ((2, 3), [(0, 1), (2, 3)])]
    steps += [((1, 1), [(2, 3), (1, 1)]), ((2, 3), [(1, 1)]), ((1, 1), [])]
    for cell, expected in steps:
        page = pages.click(page, cell)
        assert list(page.chosen) == expected


@pytest.mark.parametrize(
    ("point", "cell"),
    [
        ((0, 0), (0, 0)),
        ((127, 127), (0, 0)),
        ((128, 0), None),
        ((0, 129), None),
        ((130, 0), (0, 1)),
        ((0, 390), (3, 0)),
        ((517, 517), (3, 3)),
        ((518, 517), None),
        ((520, 0), None),
        ((-1, 0), None),
        ((1e9, 0), None),
    ],
    ids=str,
)
def test_points_and_their_cells(model, point, cell):
    # Images of 128 pixels with 2 between: they begin at 0, 130, 260 and 390.
    assert pages.cell_at(model, *point) == cell


@pytest.mark.parametrize(("size", "shown"), [(8, 128), (48, 144), (128, 128), (200, 200)])
def test_small_images_are_enlarged_by_a_whole_factor(size, shown):
    assert pages.edge(SimpleNamespace(image_size=size)) == shown


def test_chosen_images_have_a_frame_each(model):
    page = pages.click(pages.click(pages.new(model, 0), (0, 1)), (3, 2))
    plain = cells(pages.image(model, pages.new(model, 0)))
    framed = cells(pages.image(model, page))
    for cell, colour in zip(((0, 1), (3, 2)), pages.FRAMES):
        assert framed[cell][0, 0].tolist() == list(colour)
        np.testing.assert_array_equal(framed[cell][5:-5, 5:-5], plain[cell][5:-5, 5:-5])
        framed[cell] = plain[cell]
    np.testing.assert_array_equal(framed, plain)


def test_the_ways_begin_at_the_first_and_end_at_the_second(model):
    page = pages.click(pages.new(model, 0), (0, 1))
    assert pages.between(model, page) is None
    page = pages.click(page, (3, 2))
    grid, ways = cells(pages.image(model, pages.new(model, 0))), pages.between(model, page)
    ways = cells(ways)
    np.testing.assert_array_equal(ways[0, 0], grid[0, 1])
    np.testing.assert_array_equal(ways[3, 3], grid[3, 2])
    # Who goes downwards, how across: the other corners are the grid's too.
    np.testing.assert_array_equal(ways[0, 3], grid[0, 2])
    np.testing.assert_array_equal(ways[3, 0], grid[3, 1])


def test_no_variety_of_people_shows_one_of_them(model):
    shown = cells(pages.image(model, pages.new(model, 0), who=0.0))
    for row in shown[1:]:
        np.testing.assert_array_equal(row, shown[0])
    assert not np.array_equal(shown[0, 0], shown[0, 1])
    shown = cells(pages.image(model, pages.new(model, 0), how=0.0))
    np.testing.assert_array_equal(shown[:, 0], shown[:, 3])
    assert not np.array_equal(shown[0, 0], shown[1, 0])


def test_a_photo_takes_the_first_row_and_column(model):
    photo = model.generate([77], [78])[0, 0]
    before = pages.click(pages.new(model, 0), (1, 1))
    page, pair, (error, random_error) = pages.with_photo(model, before, photo)
    assert error < random_error
    np.testing.assert_array_equal(pair[:, :128], pages.enlarged(model, photo))
    np.testing.assert_array_equal(pair[:, 130:], cells(pages.image(model, page))[0, 0])
    np.testing.assert_array_equal(page.identity[1:], before.identity[1:])
    np.testing.assert_array_equal(page.observation[1:], before.observation[1:])
    assert page.chosen == ()


def test_grey_images_become_colour_for_the_browser():
    model = Painter(image_size=8, channels=1)
    assert pages.image(model, pages.new(model, 0)).shape == (518, 518, 3)
