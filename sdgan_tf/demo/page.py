"""What the page shows, without the web: a 4x4 grid, two chosen images, the ways between them.

After the authors' own web demo. A page is never changed: every function returns a new one.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow as tf

from sdgan_tf.generation import Search, invert
from sdgan_tf.images import GAP, tile
from sdgan_tf.models import ImageModel

SIZE = 4
# Smaller images are shown enlarged, by a whole factor, to this edge or a little more.
EDGE = 128
# The frames of the first and of the second chosen image: red, green and blue.
FRAMES = ((230, 80, 20), (20, 110, 230))
FRAME = 5
SEARCH = Search(steps=150, restarts=2, random_codes=512)

Cell = tuple[int, int]


@dataclasses.dataclass(frozen=True)
class Page:
    """One visitor's page.

    Attributes:
        identity: float32 [4, d_i], the rows.
        observation: float32 [4, d_o], the columns.
        seed: where the seeds of this page's codes start.
        drawn: how many codes of it were drawn so far; the next one is new.
        chosen: the cells that were clicked, (row, column), two at most.
    """

    identity: np.ndarray
    observation: np.ndarray
    seed: int
    drawn: int
    chosen: tuple[Cell, ...] = ()


def new(model: ImageModel, seed: int) -> Page:
    """The first grid of a seed, that of `model.generate(4, 4, seed)`."""
    identity, observation = model.grid_codes(SIZE, SIZE, seed)
    return Page(identity, observation, seed, SIZE)


def redraw_identity(model: ImageModel, page: Page, row: int) -> Page:
    """Somebody else in one row; the observations stay."""
    identity = page.identity.copy()
    identity[row] = model.identity_codes([_next_seed(page)])[0]
    return dataclasses.replace(page, identity=identity, drawn=page.drawn + 1)


def redraw_observation(model: ImageModel, page: Page, column: int) -> Page:
    """Another observation in one column; the identities stay."""
    observation = page.observation.copy()
    observation[column] = model.observation_codes([_next_seed(page)])[0]
    return dataclasses.replace(page, observation=observation, drawn=page.drawn + 1)


def _next_seed(page: Page) -> int:
    # As `seeds_of` counts on.
    return page.seed * 2**32 + page.drawn


def click(page: Page, cell: Cell | None) -> Page:
    """Chooses an image, or gives it up again; a third one takes the place of the older."""
    if cell is None:
        return page
    others = tuple(other for other in page.chosen if other != cell)
    chosen = others if cell in page.chosen else (*others[-1:], cell)
    return dataclasses.replace(page, chosen=chosen)


def edge(model: ImageModel) -> int:
    """Height and width of an image as it is shown."""
    return model.image_size * -(-max(EDGE, model.image_size) // model.image_size)


def cell_at(model: ImageModel, x: int, y: int) -> Cell | None:
    """The cell (row, column) of a point of the image of the grid in pixels; None between its images."""
    size = edge(model)
    step = size + GAP
    inside = 0 <= x < SIZE * step and 0 <= y < SIZE * step
    on_image = x % step < size and y % step < size
    return (int(y // step), int(x // step)) if inside and on_image else None


def enlarged(model: ImageModel, grid: np.ndarray) -> np.ndarray:
    """Images as they are shown, each by itself: uint8 [..., h, w, 1 or 3] to [..., edge, edge, 3]."""
    flat = grid.reshape(-1, *grid.shape[-3:])
    smooth = tf.image.resize(flat, [edge(model), edge(model)], "bicubic")
    colour = np.repeat(tf.saturate_cast(tf.round(smooth), tf.uint8), 3 // grid.shape[-1], axis=-1)
    return colour.reshape(*grid.shape[:-3], *colour.shape[1:])


def image(model: ImageModel, page: Page, who: float = 1.0, how: float = 1.0) -> np.ndarray:
    """The grid as one image, the chosen cells framed.

    Args:
        model: what renders it.
        page: the page.
        who: from 0 to 1, the truncation of the identities: 0 shows the same one everywhere where the
            law of their codes is uniform or normal.
        how: likewise for the observations.

    Returns:
        uint8 [h, w, 3], with `GAP` white pixels between images.
    """
    truncate = model.latents.truncate
    rows = truncate(page.identity, who, "identity")
    columns = truncate(page.observation, how, "observation")
    grid = enlarged(model, model.render(model.latents.grid(rows, columns)))
    for colour, cell in zip(FRAMES, page.chosen):
        inner = grid[cell][FRAME:-FRAME, FRAME:-FRAME].copy()
        grid[cell] = colour
        grid[cell][FRAME:-FRAME, FRAME:-FRAME] = inner
    return tile(grid)


def between(model: ImageModel, page: Page, who: float = 1.0, how: float = 1.0) -> np.ndarray | None:
    """The ways between the two chosen images: rows go along `z_I`, columns along `z_O`.

    The first stands at the top left, the second at the bottom right.

    Returns:
        uint8 [h, w, 3]; None unless two are chosen.
    """
    if len(page.chosen) < 2:
        return None
    rows, columns = zip(*page.chosen)
    truncate = model.latents.truncate
    identity = truncate(page.identity[list(rows)], who, "identity")
    observation = truncate(page.observation[list(columns)], how, "observation")
    return tile(enlarged(model, model.interpolate(identity, observation, SIZE - 1)))


def with_photo(
    model: ImageModel, page: Page, photo: np.ndarray, verbose: bool = False
) -> tuple[Page, np.ndarray, tuple[float, float]]:
    """Searches for the codes of a photo and puts them in the first row and the first column.

    Args:
        model: what has to render it.
        page: the page.
        photo: uint8 [h, w, c] of the model's size.
        verbose: whether to show a progress bar.

    Returns:
        The page; the photo beside the image of its codes, uint8 [edge, 2 * edge + GAP, 3]; their root
        mean square difference and that of the best random code, in grey levels of 0 to 255.
    """
    inversion = invert(model, photo[np.newaxis], SEARCH, verbose=verbose)
    identity, observation = page.identity.copy(), page.observation.copy()
    identity[0], observation[0] = inversion.identity[0], inversion.observation[0]
    page = dataclasses.replace(page, identity=identity, observation=observation, chosen=())
    pair = tile(enlarged(model, np.stack([photo, inversion.images[0]])[np.newaxis]))
    return page, pair, (float(inversion.error[0]), float(inversion.random_error[0]))
