"""The networks that look at images."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sdgan_tf.networks import Embedder, Regressor
from tests.networks.network_case import NetworkCase, conforms, random

TINY = {"dim": 2, "embedding_size": 5}
CASES = [
    (kind, {"image_size": size, "channels": channels, **TINY}, (size, size, channels), (5,))
    for kind in (Embedder, Regressor)
    for size, channels in ((8, 3), (32, 1))
]


@conforms(CASES)
class TestConformance(NetworkCase):
    """The battery over both."""

    bounded = False


def test_embeddings_have_unit_length_and_values_have_not():
    for kind, unit in ((Embedder, True), (Regressor, False)):
        network = kind(image_size=8, **TINY)
        lengths = np.linalg.norm(network(random(6, 8, 8, 3), training=True), axis=-1)
        assert np.allclose(lengths, 1.0, atol=1e-5) is unit


def test_the_mean_over_places_needs_fewer_weights_than_all_of_them():
    whole, mean = (Embedder(8, pooling=pooling, **TINY) for pooling in ("none", "mean"))
    for network in (whole, mean):
        network.build()
    assert whole.finish.kernel.shape[0] == 4 * 4 * mean.finish.kernel.shape[0]


def test_wrong_sizes_are_refused():
    with pytest.raises(ValueError, match="power of two.*Received: image_size=48"):
        Embedder(image_size=48)


@pytest.mark.parametrize("pooling", ["none", "mean"])
@pytest.mark.parametrize("image_size", [8, 64])
def test_its_size_is_known_before_it_is_built(image_size, pooling):
    network = Embedder(image_size, 1, dim=2, embedding_size=5, pooling=pooling)
    numbers = network.numbers()
    network.build()
    assert numbers == sum(math.prod(variable.shape) for variable in network.variables)
