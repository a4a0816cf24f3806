"""Which part of the code moves which known factor: for the drawn people, whose factors are all
known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from sdgan_tf.data import IdentityData
from sdgan_tf.evaluation.bootstrap import RESAMPLES, estimates
from sdgan_tf.evaluation.readers import read_in_batches, train_reader
from sdgan_tf.images import to_float
from sdgan_tf.models import ImageModel, variables
from sdgan_tf.networks import Regressor

# Factors that the regressor explains less of than this, on people it never saw, are left out.
LEAST_EXPLAINED = 0.3


class FactorReader:
    """Reads the factors of drawn people off their images.

    Attributes:
        names: of the factors, those of the identity first.
        identity_factors: how many belong to the identity.
        explained: share of each factor's variance that is read right on unseen people, [factors].
    """

    def __init__(
        self,
        network: Callable[[tf.Tensor], tf.Tensor],
        names: tuple[str, ...],
        identity_factors: int,
    ):
        self.network = network
        self.names = names
        self.identity_factors = identity_factors
        self.explained = np.ones(len(names))
        self._graph = tf.function(lambda images: network(to_float(images)), reduce_retracing=True)

    def read(self, images: np.ndarray, batch_size: int = 256) -> np.ndarray:
        """uint8 [n, h, w, c] to float32 [n, factors], each about 0 to 1."""
        return read_in_batches(self._graph, images, batch_size)


def train_factor_reader(
    train: IdentityData,
    unseen: IdentityData,
    steps: int = 2000,
    dim: int = 24,
    batch_size: int = 64,
    rate: float = 2e-3,
    seed: int = 0,
    verbose: bool = False,
) -> FactorReader:
    """Trains a regressor for all factors of drawn people by least squares.

    Args:
        train: drawn people, with `factors`.
        unseen: other drawn people, on which `explained` is measured.
        steps: of `batch_size` images.
        dim: width of the network.
        batch_size: images in a step.
        rate: Adam's, falling to zero by half a cosine.
        seed: of weights and batches.
        verbose: whether a progress bar is shown.

    Raises:
        ValueError: images whose factors are not known.
    """
    targets, unseen_targets = _targets(train), _targets(unseen)
    names = (*train.factors["identity_names"], *train.factors["observation_names"])
    network = Regressor(train.image_size, train.channels, dim, len(names))
    network.build()
    variables.seed(network, "factors", seed)
    how = (steps, batch_size, rate, seed, verbose)
    train_reader(network, "factor reader", train.images, targets, to_float, "mse", *how)
    reader = FactorReader(network, names, train.factors["identity"].shape[1])
    error = np.mean((reader.read(unseen.images) - unseen_targets) ** 2, axis=0)
    reader.explained = 1.0 - error / np.var(unseen_targets, axis=0)
    return reader


def _targets(data: IdentityData) -> np.ndarray:
    """All factors of each image, float32 [images, factors]."""
    if getattr(data, "factors", None) is None:
        raise ValueError(
            "Known factors belong to the drawn people: make them by sd.data.drawn(). "
            f"Received: {type(data).__name__} without factors"
        )
    identity = np.repeat(data.factors["identity"], data.counts, axis=0)
    return np.concatenate([identity, data.factors["observation"]], axis=1)


class Share(NamedTuple):
    """Where a factor's variance in generated images comes from.

    Attributes:
        name: of the factor.
        belongs_to: `"identity"` or `"observation"`, in the real images.
        identity: share of the variance that comes from `z_I` alone.
        observation: share that comes from `z_O` alone.
        together: share that takes both, and what the regressor errs.
        spread: standard deviation in generated images, of 1 in real ones.
        explained: how much of the factor the regressor explains on unseen people.
        real: share of the variance that comes from who is shown, as the regressor reads real images: what it takes for
            the factor although it belongs to the identity, or the reverse, is in there.
        identity_interval: ends of the 95 % interval of `identity`.
        observation_interval: of `observation`.
    """

    name: str
    belongs_to: str
    identity: float
    observation: float
    together: float
    spread: float
    explained: float
    real: float
    identity_interval: tuple[float, float] | None = None
    observation_interval: tuple[float, float] | None = None


def shares(
    reader: FactorReader,
    model: ImageModel,
    real: IdentityData,
    size: int = 32,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> list[Share]:
    """Splits each factor's variance over a grid of `size` identities by `size` observations.

    The intervals come from drawing rows and columns of the grid anew, both with replacement (the
    pigeonhole bootstrap, Owen, arXiv 0711.4048). They do not hold the reader's own error.

    Args:
        reader: knows the factors.
        model: generates the grid.
        real: drawn people, for the spread of what is read off real images, and for how much of it tells who they are.
        size: of the grid's edge.
        seed: of its codes, and of the resampling.
        resamples: of the bootstrap.

    Returns:
        A `Share` for each factor that is read well enough.
    """
    grid = model.generate(size, size, seed)
    read = reader.read(grid.reshape(-1, *grid.shape[2:])).reshape(size, size, -1)
    of_real = reader.read(real.images)
    spread = np.std(of_real, axis=0)
    rng = np.random.default_rng([seed, 8])
    draws = rng.integers(size, size=[resamples, 2, size])
    measured = []
    for index, name in enumerate(reader.names):
        if reader.explained[index] < LEAST_EXPLAINED:
            continue
        values = read[..., index]
        parts = portions(values)
        replicates = [portions(values[np.ix_(rows, columns)]) for rows, columns in draws]
        of_identity, of_observation, _ = estimates(parts, np.array(replicates))
        measured.append(
            Share(
                name,
                "identity" if index < reader.identity_factors else "observation",
                *parts,
                float(np.std(values) / spread[index]),
                float(reader.explained[index]),
                between(of_real[:, index], real.counts),
                of_identity[1:],
                of_observation[1:],
            )
        )
    return measured


def portions(values: np.ndarray) -> tuple[float, float, float]:
    """The `components` as shares of their sum, which are 0 where nothing varies."""
    parts = components(values)
    total = max(sum(parts), 1e-12)
    return tuple(part / total for part in parts)


def between(values: np.ndarray, counts: Sequence[int]) -> float:
    """Share of the variance that lies between groups, unbiased (one-way analysis of variance with random effects).

    Args:
        values: float [sum of counts], group by group.
        counts: sizes of the groups, two groups at least, one of them of two values or more.

    Returns:
        From 0 to 1; an estimate below 0 counts 0.
    """
    sizes = np.asarray(counts, np.float64)
    groups = np.repeat(np.arange(len(sizes)), counts)
    means = np.bincount(groups, values) / sizes
    within = np.sum((values - means[groups]) ** 2) / (len(values) - len(sizes))
    among = np.sum(sizes * (means - values.mean()) ** 2) / (len(sizes) - 1)
    size = (sizes.sum() - np.sum(sizes**2) / sizes.sum()) / (len(sizes) - 1)
    of_groups = max(float((among - within) / size), 0.0)
    return of_groups / max(of_groups + float(within), 1e-12)


def components(values: np.ndarray) -> tuple[float, float, float]:
    """Variance components of a crossed design with one value a cell, unbiased (two-way analysis of
    variance with random effects).

    Args:
        values: float [rows, columns], 2 of each at least.

    Returns:
        Variance of the rows' effect, of the columns', and the rest; an estimate below 0 counts 0.
    """
    rows, columns = values.shape
    of_rows, of_columns = values.mean(1), values.mean(0)
    rest = values - of_rows[:, np.newaxis] - of_columns + values.mean()
    both = float(np.sum(rest**2) / ((rows - 1) * (columns - 1)))
    row = float(np.var(of_rows, ddof=1)) - both / columns
    column = float(np.var(of_columns, ddof=1)) - both / rows
    return max(row, 0.0), max(column, 0.0), both
