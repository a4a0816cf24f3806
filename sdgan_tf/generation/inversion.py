"""Codes of given photos: who is in them and how they were taken, by descent on the generator."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf
from tensorflow import keras
from tqdm.auto import tqdm

from sdgan_tf import keras_compat
from sdgan_tf.images import to_float
from sdgan_tf.models import ImageModel, seeds_of
from sdgan_tf.randomness import stateless_seed

MAX_PHOTOS = 1000
# Photos in one descent; those that share an identity all have to be.
PHOTOS_AT_A_TIME = 16
MAX_SHARED_PHOTOS = 64
# Random observations tried with each random identity where photos share one.
SHARED_OBSERVATIONS = 16
MAX_RANDOM_CODES = 16_384

Embed = Callable[[tf.Tensor], tf.Tensor]


@dataclasses.dataclass(frozen=True)
class Search:
    """How codes are searched for.

    Attributes:
        steps: steps of the descent, by Adam.
        rate: its first learning rate, which falls to 0 along half a cosine.
        restarts: descents for each photo, from as many of the best random codes.
        random_codes: how many random codes are tried before the descents.
        perceptual: weight of the squared distance of embeddings, where there is an embedder, beside
            the mean squared difference of pixels in [-1, 1].
        seed: seed of the random codes and of the clipping.
    """

    steps: int = 400
    rate: float = 0.05
    restarts: int = 4
    random_codes: int = 1024
    perceptual: float = 0.1
    seed: int = 0

    def __post_init__(self):
        if min(self.steps, self.restarts, self.random_codes) < 1:
            raise ValueError(f"steps, restarts and random_codes are 1 or more. Received: {self}")
        if max(self.restarts, self.random_codes) > MAX_RANDOM_CODES:
            raise ValueError(
                f"At most {MAX_RANDOM_CODES:,} random codes are tried. Received: {self}"
            )
        if not (0 < self.rate < np.inf and 0 <= self.perceptual < np.inf):
            raise ValueError(f"rate is above 0 and perceptual 0 or more. Received: {self}")


@dataclasses.dataclass(frozen=True)
class Inversion:
    """The codes of n photos.

    Attributes:
        identity: float32 [n, d_i], equal rows where the photos were said to share an identity.
        observation: float32 [n, d_o].
        images: uint8 [n, h, w, c], the images of these codes.
        error: float32 [n], root mean square difference of image and photo, in grey levels of 0 to
            255.
        random_error: float32 [n], the same of the best random code: what `error` has to beat.
    """

    identity: np.ndarray
    observation: np.ndarray
    images: np.ndarray
    error: np.ndarray
    random_error: np.ndarray


def invert(
    model: ImageModel,
    photos: np.ndarray,
    search: Search | None = None,
    same_identity: bool = False,
    embed: Embed | None = None,
    verbose: bool = False,
) -> Inversion:
    """Estimates the codes of photos (paper, latent estimation).

    Minimises the squared difference of image and photo over the code, from the best of many
    random codes, with stochastic clipping (arXiv 1702.04782): components that leave
    the law of the codes are drawn anew, see `LatentSpace.reclaim`. The result is the best code that
    the descent passed, not its last.

    Args:
        model: one that trained, or an exported one.
        photos: uint8 [n, h, w, c] of the model's own size, 0 to 255.
        search: how the codes are searched for; None for the defaults.
        same_identity: whether all photos show one identity, so that they share one `z_I`.
        embed: images float32 [n, h, w, c] in [-1, 1] to embeddings float32 [n, d], for the
            perceptual term, such as a verifier's `embed_tensor`; None for none.
        verbose: whether to show a progress bar.

    Returns:
        An `Inversion`.

    Raises:
        ValueError: photos of another shape or type, none, or too many.
    """
    search = search or Search()
    _check(model, photos, same_identity)
    starts, random_error = _best_random(model, photos, search, same_identity)
    size = MAX_SHARED_PHOTOS if same_identity else PHOTOS_AT_A_TIME
    parts = []
    bar = tqdm(
        total=-(-len(photos) // size) * search.steps,
        desc="Steps of the descent",
        disable=not verbose,
    )
    for first in range(0, len(photos), size):
        some = photos[first : first + size]
        identity, observation = (start[first : first + size] for start in starts)
        descent = _Descent(model, some, identity, observation, search, embed, first)
        for step in range(search.steps):
            descent.step(tf.constant(step))
            bar.update()
        parts.append(descent.result())
    bar.close()
    return _inversion(model, photos, *(np.concatenate(c) for c in zip(*parts)), random_error)


def encode(
    model: ImageModel,
    photos: np.ndarray,
    keypoints: np.ndarray,
    masks: np.ndarray,
    search: Search | None = None,
) -> Inversion:
    """The codes of photos of people by the model's own encoder, in place of a search for them.

    Args:
        model: one that encodes people, such as `DPIG` or `DPIGMaps`.
        photos: uint8 [n, h, w, c] of the model's own size, 0 to 255.
        keypoints: float32 [n, 18, 3], row, column and visible in pixels.
        masks: uint8 [n, h, w, 1], 1 where the person is.
        search: the random codes that the codes are held against; None for the defaults.

    Returns:
        An `Inversion`.

    Raises:
        ValueError: the model encodes no people, or photos of another shape or type, none, or too many.
    """
    if not hasattr(model, "encode"):
        raise ValueError(
            "Keypoints are for models with an encoder of people, dpig and dpig_maps, of a run and not of an export: "
            f"leave out --keypoints. Received: {type(model).__name__}"
        )
    _check(model, photos, False)
    _, random_error = _best_random(model, photos, search or Search(), False)
    return _inversion(model, photos, *model.encode(photos, keypoints, masks), random_error)


def _inversion(model, photos, identity, observation, random_error) -> Inversion:
    images = model.render(np.concatenate([identity, observation], axis=1))
    error = np.sqrt(_squared_difference(images, photos))
    return Inversion(identity, observation, images, error, random_error)


def _check(model: ImageModel, photos: np.ndarray, same_identity: bool) -> None:
    expected = (model.image_size, model.image_size, model.channels)
    if photos.dtype != np.uint8 or photos.shape[1:] != expected:
        raise ValueError(
            f"Photos for this model are uint8 [n, {', '.join(map(str, expected))}]. "
            f"Received: {photos.dtype} {photos.shape}"
        )
    most = MAX_SHARED_PHOTOS if same_identity else MAX_PHOTOS
    if not 1 <= len(photos) <= most:
        raise ValueError(
            f"From 1 to {most:,} photos are inverted at a time{' that share an identity' * same_identity}. "
            f"Received: {len(photos):,}"
        )


def _best_random(
    model: ImageModel, photos: np.ndarray, search: Search, same_identity: bool
) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """The random codes that come nearest to each photo.

    Returns:
        Identity codes float32 [n, restarts, d_i], or [1, restarts, d_i] if shared; observation
        codes float32 [n, restarts, d_o]; and float32 [n], the error of the best.
    """
    columns = SHARED_OBSERVATIONS if same_identity else 1
    rows = max(search.random_codes // columns, search.restarts)
    identity = np.asarray(model.identity_codes(seeds_of(rows, search.seed)))
    observation = np.asarray(model.observation_codes(seeds_of(rows * columns, search.seed)))
    observation = observation.reshape(rows, columns, -1)
    codes = model.latents.join(np.repeat(identity[:, np.newaxis], columns, axis=1), observation)
    images = model.render(codes)
    error = np.stack([_squared_difference(images, photo) for photo in photos])

    costs = error.min(axis=2)
    if same_identity:
        costs = costs.sum(axis=0, keepdims=True)
    who = np.argsort(costs, axis=1, kind="stable")[:, : search.restarts]
    everyone = np.broadcast_to(who, (len(photos), search.restarts))
    how = np.take_along_axis(error.argmin(axis=2), everyone, axis=1)
    return (identity[who], observation[everyone, how]), np.sqrt(error.min(axis=(1, 2)))


def _squared_difference(images: np.ndarray, photos: np.ndarray) -> np.ndarray:
    """Mean over height, width and channels, in squared grey levels: float32 [...]."""
    difference = images.astype(np.float32) - photos.astype(np.float32)
    return np.mean(np.square(difference), axis=(-3, -2, -1))


class _Descent:
    """All restarts of some photos going downhill together, none touched by the others."""

    def __init__(self, model, photos, identity, observation, search, embed, number):
        self.model, self.search, self.embed, self.number = model, search, embed, number
        self.photos = to_float(tf.constant(photos))[:, tf.newaxis]
        self.wanted = embed(self.photos[:, 0])[:, tf.newaxis] if embed else None
        self.codes = [_variable(identity), _variable(observation)]
        self.best = [tf.Variable(identity), tf.Variable(observation)]
        self.least = tf.Variable(tf.fill(identity.shape[:2], np.float32(np.inf)))
        rate = keras.optimizers.schedules.CosineDecay(search.rate, search.steps)
        self.optimizer = keras.optimizers.Adam(rate)
        self.optimizer.build(self.codes)

    @tf.function
    def step(self, step: tf.Tensor) -> None:
        """Measures the codes, keeps the best, and moves on."""
        values = [tf.convert_to_tensor(code) for code in self.codes]
        with tf.GradientTape() as tape:
            tape.watch(values)
            loss = self._loss(*values)
        shared = len(self.least) < len(self.photos)
        measured = tf.reduce_mean(loss, axis=0, keepdims=True) if shared else loss
        better = measured < self.least
        self.least.assign(tf.where(better, measured, self.least))
        for best, value in zip(self.best, values):
            best.assign(tf.where(better[..., tf.newaxis], value, best))
        gradients = tape.gradient(loss, values)
        keras_compat.apply_gradients(self.optimizer, gradients, self.codes)
        self._reclaim(step)

    def _loss(self, identity: tf.Tensor, observation: tf.Tensor) -> tf.Tensor:
        """float32 [n, restarts]."""
        shape = tf.shape(observation)[:2]
        identity = tf.broadcast_to(identity, [shape[0], shape[1], identity.shape[-1]])
        codes = self.model.latents.join(identity, observation)
        images = self.model(tf.reshape(codes, [-1, codes.shape[-1]]))
        arranged = tf.reshape(images, tf.concat([shape, self.photos.shape[2:]], 0))
        loss = tf.reduce_mean(tf.square(arranged - self.photos), axis=[2, 3, 4])
        if self.embed:
            embeddings = tf.reshape(self.embed(images), tf.concat([shape, [-1]], 0))
            loss += self.search.perceptual * tf.reduce_sum(
                tf.square(embeddings - self.wanted), axis=2
            )
        return loss

    def _reclaim(self, step: tf.Tensor) -> None:
        known = (self.model.identities, self.model.observations)
        for part, code, number in zip(("identity", "observation"), self.codes, known):
            # The codes of a model that shows a given number of them follow no law.
            if number is None:
                seed = stateless_seed(self.search.seed, f"clipping of {part}", step, self.number)
                code.assign(self.model.latents.reclaim(tf.convert_to_tensor(code), seed, part))

    def result(self) -> tuple[np.ndarray, np.ndarray]:
        """The best codes of each photo: float32 [n, d_i] and float32 [n, d_o]."""
        who = np.argmin(self.least.numpy(), axis=1)[:, np.newaxis, np.newaxis]
        parts = []
        for best in self.best:
            chosen = np.take_along_axis(best.numpy(), who, axis=1)[:, 0]
            parts.append(np.repeat(chosen, len(self.photos) // len(chosen), axis=0))
        return tuple(parts)


def _variable(value: np.ndarray):
    variable = keras_compat.add_weight(keras.layers.Layer(), "codes", value.shape)
    variable.assign(value)
    return variable
