"""Disentangled person images: the battery, the step by hand, and what the codes stand for."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import sdgan_tf as sd
from sdgan_tf.images import to_float
from sdgan_tf.models import DPIG
from sdgan_tf.networks import siamese
from sdgan_tf.networks.pose import encode_pose
from tests.models.model_case import ModelCase, array, descending, gradients, weights

TINY = {"training_identities": 3, "image_size": 16, "dim": 2, "levels": 2, "tower_levels": 2}
TINY |= {"crop_size": 8, "regions": 3, "background": 4, "discriminator_dim": 2}


def batch(count=3, channels=3):
    """Return drawn people as data sets give them."""
    people = sd.data.drawn(count, 2, 16, channels=channels, keypoints=True, bodies=True)
    fields = people.fields
    made = {"images": people.images, "keypoints": fields["keypoints"], "mask": fields["mask"]}
    made = {name: tf.constant(values[::2, np.newaxis]) for name, values in made.items()}
    return {**made, "identity": tf.range(count, dtype=tf.int64)}


def make(seed):
    """Return a compiled model that remembers three people, whose images differ."""
    model = DPIG(**TINY, seed=seed)
    model.compile(run_eagerly=True)
    memory = model.encoder.memory.kernel
    memory.assign(np.random.default_rng(seed).uniform(-1, 1, memory.shape))
    return model


class _Case(ModelCase):
    model_class = DPIG

    @staticmethod
    def batch(model, count=3):
        return batch(count, model.channels)

    @pytest.fixture(scope="class")
    @classmethod
    def vivid(cls):
        """Return a model that remembers three people, whose images differ."""
        model = cls.make()
        kernel = model.best("generator").finish.kernel
        kernel.assign(10 * array(kernel))
        memory = model.best("encoder").memory.kernel
        memory.assign(np.random.default_rng(0).uniform(-1, 1, memory.shape))
        return model


class TestWithBackground(_Case):
    arguments = TINY


class TestWithoutBackground(_Case):
    arguments = {**TINY, "background": 0, "channels": 1, "ema": 0.9, "seed": 5}


def test_a_step_descends_what_it_says():
    model = DPIG(**TINY, l1=3.0, l1_person=2.0)
    model.compile(run_eagerly=True, **descending(0.1))
    fields = batch()
    real, who = to_float(fields["images"]), fields["identity"]
    poses = encode_pose(fields["keypoints"][:, 0], 16, 16)
    masks = tf.cast(fields["mask"][:, 0], tf.float32)

    def rebuilt():
        codes = model.encoder(real[:, 0], masks, poses, who, training=True)
        return model.generator(tf.concat([codes, poses], -1), training=True)[:, tf.newaxis]

    def g_loss():
        score = siamese.score(model.discriminator, rebuilt(), track=False)
        inside = tf.cast(fields["mask"], tf.float32)
        difference = tf.reduce_mean(tf.abs(rebuilt() - real) * (1 + 2 * inside))
        return tf.reduce_mean(tf.nn.softplus(-score)) + 3.0 * difference

    before = {name: weights(network) for name, network in model.networks.items()}
    expected = {name: gradients(g_loss, model.networks[name]) for name in ("encoder", "generator")}
    # The images that the discriminator sees are those from before the step.
    fake = tf.constant(rebuilt())

    def d_loss():
        features = siamese.features_of(model.discriminator, [real, fake], track=False)
        of_real, of_fake = siamese.scores_of(model.discriminator, features, track=False)
        return tf.reduce_mean(0.5 * tf.nn.softplus(-of_real) + 0.5 * tf.nn.softplus(of_fake))

    expected["discriminator"] = gradients(d_loss, model.discriminator)
    first = {"g_loss": float(g_loss()), "d_loss": float(d_loss())}
    first["l1_loss"] = float(tf.reduce_mean(tf.abs(fake - real)))
    logs = model.train_step(fields)
    for name, value in first.items():
        assert float(logs[name]) == pytest.approx(value, rel=1e-4), name
    for name, steps in expected.items():
        assert any(np.any(step) for step in steps)
        for variable, start, step in zip(
            model.networks[name].trainable_variables, before[name], steps
        ):
            np.testing.assert_allclose(array(variable), start - 0.1 * step, rtol=1e-3, atol=1e-5)


def test_encode_gives_codes_that_rebuild_swap_and_hold_the_pose():
    model = DPIG(**TINY)
    model.compile(run_eagerly=True)
    fields = {name: values.numpy() for name, values in batch().items()}
    images, points, masks = (fields[name][:, 0] for name in ("images", "keypoints", "mask"))
    identity, observation = model.encode(images, points, masks, batch_size=2)
    assert identity.shape == (3, 96) and observation.shape == (3, 4 + 54)
    np.testing.assert_allclose(model.keypoints_of(observation), points, atol=1e-4)
    np.testing.assert_array_equal(observation[:, 4:], model.pose_codes(points))
    grid = model.generate(identity, observation)
    assert grid.shape == (3, 3, 16, 16, 3)
    # The seeds of training images stand for the same codes, once they were trained on.
    model.train_step(batch())
    identity, observation = (codes.numpy() for codes in (model.identity_codes([0, 1, 2]),
                                                         model.observation_codes([0, 1, 2])))  # fmt: skip
    np.testing.assert_allclose(model.keypoints_of(observation), points, atol=1e-4)
    assert np.any(identity[0] != identity[1])
    # There are no others.
    assert model.identities == model.observations == 3
    np.testing.assert_array_equal(model.identity_codes([3, 4, 5]), identity)
    np.testing.assert_array_equal(model.observation_codes([3, 4, 5]), observation)


def test_images_and_codes_are_those_of_the_averages():
    model = DPIG(**TINY, ema=0.9)
    model.compile(**descending(0.1, model.players), run_eagerly=True)
    fields = {name: values.numpy()[:, 0] for name, values in batch().items() if name != "identity"}
    before = model.encode(fields["images"], fields["keypoints"], fields["mask"])[0]
    for network in (model.encoder, model.generator):
        network.set_weights([0 * value for value in network.get_weights()])
    after = model.encode(fields["images"], fields["keypoints"], fields["mask"])[0]
    np.testing.assert_array_equal(after, before)
    model.train_step(batch())
    moved = model.encode(fields["images"], fields["keypoints"], fields["mask"])[0]
    assert np.any(moved != before)


def test_batches_that_tell_too_little_are_refused():
    model = DPIG(**TINY)
    model.compile(run_eagerly=True)
    fields = batch()
    with pytest.raises(ValueError, match="fields.*keypoints.*mask.*Received: .*identity"):
        model.train_step({name: fields[name] for name in ("images", "identity")})
    with pytest.raises(ValueError, match="keypoints=True, image_size=16"):
        model.train_step({**fields, "mask": fields["mask"][:, :, :8]})
    for wrong in ("l1", "l1_person"):
        with pytest.raises(ValueError, match=f"{wrong}=-1"):
            DPIG(**{**TINY, wrong: -1})
    with pytest.raises(ValueError, match="No part of this DPIG takes such an option.*depth=3"):
        DPIG(**TINY, depth=3)
