"""How much a model's recogniser knows of real images: its codes against who is in them and against known factors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from sdgan_tf.data import IdentityData

# A number counts as one of so many equally frequent classes.
CLASSES = 10


class Reading(NamedTuple):
    """What one code says of images.

    Attributes:
        code: its name; of a code of several numbers with the number's place, such as `"continuous_2"`.
        categorical: whether it is a category.
        error: of a categorical code, the share of images whose category is not that of their identity, with each
            identity given a category of its own so that the share is least; None where that is not asked for.
        information: normalised mutual information with the identity and with each known factor, by name: 0 for none,
            1 where either tells the other.
    """

    code: str
    categorical: bool
    error: float | None
    information: dict[str, float]


def matched_error(categories: np.ndarray, labels: np.ndarray, count: int) -> float:
    """The error of categories as a classifier, once each has been matched with a label of its own so that it is least
    (the Hungarian method; arXiv 1606.03657, section 7.2).

    Args:
        categories: int [n], 0 to `count` - 1.
        labels: int [n], from 0.
        count: how many categories there are.

    Returns:
        The share of wrong ones, 0 to 1.

    Raises:
        ValueError: there are not as many labels as categories.
    """
    known = len(np.unique(labels))
    if known != count:
        raise ValueError(
            "Each category is matched with one label, so there are as many of one as of the other: make the model "
            f"with categories={known}, or leave the error out (--nomatched). Received: {count} categories, {known} labels"
        )
    table = _table(categories, labels, count)
    rows, columns = linear_sum_assignment(table, maximize=True)
    return 1.0 - float(table[rows, columns].sum() / table.sum())


def shared_information(one: np.ndarray, other: np.ndarray) -> float:
    """Normalised mutual information of two classifications: `2 I(a; b) / (H(a) + H(b))`.

    Args:
        one: int [n], classes from 0.
        other: the same.

    Returns:
        0 where neither tells anything of the other, 1 where they are one and the same; 0 where both are constant.
    """
    joint = _table(one, other, int(one.max()) + 1) / len(one)
    of_one, of_other = joint.sum(1), joint.sum(0)
    entropies = _entropy(of_one) + _entropy(of_other)
    shared = entropies - _entropy(joint.ravel())
    return float(2 * shared / entropies) if entropies > 0 else 0.0


def read_codes(model: Any, data: IdentityData, matched: bool = True) -> list[Reading]:
    """Reads the codes of real images, and compares them with what is known of the images.

    Args:
        model: has `read`, as `InfoGAN` has.
        data: images that it has not seen, by identity; and their factors, where they are known.
        matched: whether each category is matched with an identity.

    Raises:
        ValueError: a model that reads no codes, images of another size or other channels than its own, or other
            numbers of categories and identities.
    """
    if not hasattr(model, "read"):
        raise ValueError(
            "Only models with a recogniser of single images read codes, such as --model=infogan. "
            f"Received: {type(model).__name__}"
        )
    identity = np.repeat(np.arange(len(data)), data.counts)
    known = {"identity": identity, **_factors(data, identity)}
    readings = []
    for code, values in _columns(model.read(data.images)).items():
        categorical = values.ndim == 2
        classes = values.argmax(1) if categorical else classed(values)
        error = None
        if categorical and matched:
            error = matched_error(classes, identity, values.shape[1])
        information = {name: shared_information(classes, other) for name, other in known.items()}
        readings.append(Reading(code, categorical, error, information))
    return readings


def reading_table(readings: Sequence[Reading]) -> str:
    """Readings as a Markdown table: a column for each code."""
    lines = [["", *(reading.code for reading in readings)], ["---"] * (1 + len(readings))]
    errors = ("-" if reading.error is None else f"{reading.error:.2%}" for reading in readings)
    lines.append(["Matched error", *errors])
    for name in readings[0].information:
        shared = (f"{reading.information[name]:.3f}" for reading in readings)
        lines.append([f"NMI with {name}", *shared])
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def classed(values: np.ndarray) -> np.ndarray:
    """Numbers as classes: float [n] to int [n], each of the `CLASSES` about equally frequent."""
    bounds = np.quantile(values, np.arange(1, CLASSES) / CLASSES)
    return np.searchsorted(bounds, values, side="right")


def _columns(read: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Probabilities [n, categories] of categorical codes, and each number of the others by itself, [n]."""
    columns = {}
    for name, values in read.items():
        if name.startswith("category"):
            columns[name] = values
        else:
            columns.update({f"{name}_{i + 1}": values[:, i] for i in range(values.shape[1])})
    return columns


def _factors(data: IdentityData, identity: np.ndarray) -> dict[str, np.ndarray]:
    """Known factors of each image as classes, by name."""
    if data.factors is None:
        return {}
    every = {"identity": data.factors["identity"][identity]}
    every["observation"] = data.factors["observation"]
    return {
        name: classed(values[:, index])
        for block, values in every.items()
        for index, name in enumerate(data.factors[f"{block}_names"])
    }


def _table(one: np.ndarray, other: np.ndarray, rows: int) -> np.ndarray:
    """How often each pair of classes comes: float64 [rows, columns]."""
    table = np.zeros([rows, int(other.max()) + 1])
    np.add.at(table, (one, other), 1)
    return table


def _entropy(shares: np.ndarray) -> float:
    shares = shares[shares > 0]
    return float(-np.sum(shares * np.log(shares)))
