"""What turns codes into images, be it a model in training or one that was exported."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from tqdm.auto import tqdm

from sdgan_tf.images import to_uint8
from sdgan_tf.latents import LatentSpace, walk

# A grid's images are held in memory all at once: 4 GiB of them and no more.
MAX_BYTES = 4 * 2**30


class ImageModel:
    """Images from codes and codes from seeds.

    A subclass can be called with codes, float [n, d_i + d_o], and gives differentiable images,
    float32 [n, h, w, c] in [-1, 1].

    Attributes:
        image_size: edge of the images in pixels.
        channels: 1 or 3.
        k: images in the tuples that `score` takes.
        latents: the `LatentSpace`.
        identities: how many identities the model can show, or None where it imagines any number.
        observations: how many observation codes the model can show, or None where it imagines any number.
        labels: where the first so many identity codes show one label of the training data each, in its order, and those
            beyond show them again: how many labels; otherwise None.
        traversed: the numbers of the observation code that mean something each, as (part, number from 1): training
            shows a grid along each.
        varied: the parts of the observation code that mean something each: training shows a grid of each, in whose columns
            that part alone differs.
    """

    image_size: int
    channels: int
    k: int
    latents: LatentSpace
    identities: int | None = None
    observations: int | None = None
    labels: int | None = None
    traversed: Sequence[tuple[str, int]] = ()
    varied: Sequence[str] = ()

    def identity_codes(self, seeds: tf.Tensor | Sequence[int]) -> tf.Tensor:
        """One `z_I` for each seed, the same whatever its neighbours: int64 [n] to float32 [n, d_i].

        Where `identities` is a number, that many seeds in a row show as many identities, and those
        beyond show them again.
        """
        return self.latents.identity_codes(seeds)

    def observation_codes(self, seeds: tf.Tensor | Sequence[int]) -> tf.Tensor:
        """One `z_O` for each seed, the same whatever its neighbours: int64 [n] to float32 [n, d_o].

        Where `observations` is a number, it is with these as with identities.
        """
        return self.latents.observation_codes(seeds)

    def grid_codes(
        self,
        identities: int | Sequence[int] | np.ndarray = 8,
        observations: int | Sequence[int] | np.ndarray = 8,
        seed: int = 0,
        truncation: float = 1.0,
    ) -> tuple[np.ndarray, np.ndarray]:
        """The codes of a grid's rows and of its columns.

        Args:
            identities: how many, or the seeds of the identity codes, or the codes themselves, float
                [rows, d_i].
            observations: how many, or the seeds of the observation codes, or float [columns, d_o].
            seed: where counted seeds start: the same seed shows the same identities, another one
                shows others.
            truncation: from 0 to 1, by which drawn codes of a uniform or normal law are multiplied:
                the smaller, the more typical and alike the images.

        Returns:
            float32 [rows, d_i] and float32 [columns, d_o].
        """
        if not 0 <= truncation <= 1:
            raise ValueError(
                f"Truncation scales codes by 0 to 1, 1 for none. Received: truncation={truncation}"
            )
        asked = (
            ("identity", identities, self.identity_codes, self.latents.d_i),
            ("observation", observations, self.observation_codes, self.latents.d_o),
        )
        grid = []
        for block, wanted, draw, width in asked:
            if np.ndim(wanted) < 2:
                codes = self.latents.truncate(draw(seeds_of(wanted, seed)), truncation, block)
            else:
                codes = np.asarray(wanted, np.float32)
            if codes.shape[1:] != (width,) or not len(codes):
                raise ValueError(
                    f"{block.capitalize()} codes of this model are [n, {width}], at least one. "
                    f"Received: shape {codes.shape}"
                )
            grid.append(codes)
        return tuple(grid)

    def generate(
        self,
        identities: int | Sequence[int] | np.ndarray = 8,
        observations: int | Sequence[int] | np.ndarray = 8,
        seed: int = 0,
        batch_size: int = 64,
        truncation: float = 1.0,
    ) -> np.ndarray:
        """Images of imagined identities: rows share `z_I`, columns share `z_O`.

        Args:
            identities: how many, or seeds, or codes; see `grid_codes` for this and all below.
            observations: likewise.
            seed: where counted seeds start.
            batch_size: images made at a time.
            truncation: factor of drawn codes.

        Returns:
            uint8 [identities, observations, h, w, c], 0 to 255.
        """
        self._check_memory(_count(identities) * _count(observations))
        codes = self.grid_codes(identities, observations, seed, truncation)
        return self.render(self.latents.grid(*codes), batch_size)

    def interpolate(
        self,
        identities: int | Sequence[int] | np.ndarray,
        observations: int | Sequence[int] | np.ndarray,
        steps: int = 8,
        path: str = "linear",
        batch_size: int = 64,
    ) -> np.ndarray:
        """Images on the way between codes: rows go along `z_I`, columns along `z_O`, each by
        itself (the paper's figure, between two of each).

        Args:
            identities: seeds or codes to pass through, see `grid_codes`; a single one is kept.
            observations: likewise.
            steps: from each to the next.
            path: `"linear"` (paper) or `"slerp"`; see `latents.walk`.
            batch_size: images made at a time.

        Returns:
            uint8 [rows, columns, h, w, c], 0 to 255, where m codes give (m - 1) * steps + 1 rows or
            columns.
        """
        ways = ((_count(asked) - 1) * steps + 1 for asked in (identities, observations))
        self._check_memory(math.prod(ways))
        codes = self.grid_codes(identities, observations)
        return self.render(self.latents.grid(*(walk(c, steps, path) for c in codes)), batch_size)

    def render(
        self,
        codes: tf.Tensor | np.ndarray,
        batch_size: int = 64,
        verbose: bool = False,
    ) -> np.ndarray:
        """Images of given codes: float [..., d_i + d_o] to uint8 [..., h, w, c], 0 to 255.

        Args:
            codes: any number of them, in any arrangement.
            batch_size: images made at a time.
            verbose: whether to show a progress bar.

        Returns:
            The images, arranged as the codes are.

        Raises:
            ValueError: codes of another width or that are not finite, or too many of them.
        """
        codes = self._checked(codes, batch_size)
        count = math.prod(codes.shape[:-1])
        flat = codes.reshape(count, self.latents.size)
        images = np.empty((count, self.image_size, self.image_size, self.channels), np.uint8)
        starts = range(0, count, batch_size)
        for start in tqdm(starts, "batches of images", disable=not verbose):
            part = tf.constant(flat[start : start + batch_size])
            images[start : start + batch_size] = to_uint8(self(part))
        return images.reshape(*codes.shape[:-1], *images.shape[1:])

    def _checked(self, codes: tf.Tensor | np.ndarray, batch_size: int) -> np.ndarray:
        codes = np.asarray(codes, np.float32)
        if codes.ndim < 1 or codes.shape[-1] != self.latents.size:
            raise ValueError(
                f"Codes of this model are [..., {self.latents.size}], d_i={self.latents.d_i} numbers of "
                f"identity before d_o={self.latents.d_o} of observation. Received: shape {codes.shape}"
            )
        if not np.all(np.isfinite(codes)):
            bad = np.count_nonzero(~np.isfinite(codes))
            raise ValueError(
                f"Codes are finite numbers. Received: {bad:,} that are NaN or infinite"
            )
        if batch_size < 1:
            raise ValueError(
                f"At least one image is made at a time. Received: batch_size={batch_size}"
            )
        self._check_memory(math.prod(codes.shape[:-1]))
        return codes

    def _check_memory(self, count: int) -> None:
        needed = count * self.image_size**2 * self.channels
        if needed > MAX_BYTES:
            raise ValueError(
                f"{count:,} images of {self.image_size}x{self.image_size}x{self.channels} need "
                f"{needed / 2**30:,.1f} GiB of memory, more than the {MAX_BYTES / 2**30:.1f} GiB "
                "allowed at a time. Ask for fewer, in several calls."
            )


def seeds_of(asked: int | Sequence[int], seed: int = 0) -> Sequence[int]:
    """The seeds that a number of rows or columns stands for, or those that are given.

    Args:
        asked: how many, or the seeds themselves.
        seed: the first `asked` seeds of this one's own range; others share none with it.

    Raises:
        ValueError: none are asked for, or one does not fit into 64 bits.
    """
    if isinstance(asked, (int, np.integer)):
        if not -(2**31) <= seed < 2**31 or asked > 2**32:
            raise ValueError(
                "A seed that counts lies in [-2**31, 2**31) and has 2**32 of its own. "
                f"Received: seed={seed}, {asked} of them"
            )
        seeds = range(seed * 2**32, seed * 2**32 + int(asked))
    else:
        seeds = [operator.index(value) for value in asked]
        if any(not -(2**63) <= value < 2**63 for value in seeds):
            raise ValueError(f"Seeds must fit into 64 bits. Received: {asked}")
    if len(seeds) < 1:
        raise ValueError(f"A grid has at least one row and one column. Received: {asked}")
    return seeds


def in_a_row(seeds: tf.Tensor | Sequence[int]) -> tf.Tensor:
    """Numbers for models that show a number of identities one after another: seeds int64 [n] to int64 [n].

    `generate` counts from a multiple of 2**32 on. A multiple of a prime, 2**32 + 15, begins at another identity
    whatever their number.
    """
    seeds = tf.convert_to_tensor(seeds, tf.int64)
    return seeds + 15 * (seeds // 2**32)


def _count(asked: int | Sequence[int] | np.ndarray) -> int:
    return int(asked) if isinstance(asked, (int, np.integer)) else len(asked)
