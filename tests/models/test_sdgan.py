"""SD-GAN: the battery over several configurations, then one property of the step at a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from model_case import ModelCase, array, arrays, assert_equal
from tensorflow import keras

from sdgan_tf import augmentation, keras_compat, objectives
from sdgan_tf.models import SDGAN
from sdgan_tf.models.sdgan import mix_identities
from sdgan_tf.pixels import to_float

TINY = {"image_size": 8, "dim": 2, "d_i": 2, "d_o": 3}


class TestPaper(ModelCase):
    """As the paper has it."""

    model_class = SDGAN
    arguments = TINY


class TestLaterAdditions(ModelCase):
    """What the paper does not have switched on, with grey pictures and triples."""

    model_class = SDGAN
    arguments = {
        **TINY,
        **{"channels": 1, "k": 3, "codes": "normal", "norm": "none", "mixed": 0.5},
        **{"r1": 0.3, "r1_every": 2, "augment": "translation"},
        **{"ema": 0.9, "seed": 5},
    }


def make(weights=1, rate=1.0, **arguments):
    """Return a model of not too small weights, which optimizers move by `rate` times the slope."""
    keras.utils.set_random_seed(weights)
    model = SDGAN(**{**TINY, **arguments})
    for network in (model.generator, model.discriminator):
        network.set_weights([10 * value for value in network.get_weights()])
    model.compile(keras.optimizers.SGD(rate), keras.optimizers.SGD(rate))
    return model


def slopes(loss, network):
    """Return the gradients of `loss()` in the trained weights of `network`, as arrays."""
    values = [keras_compat.tensor_of(variable) for variable in network.trainable_variables]
    with tf.GradientTape() as tape:
        total = loss()
    found = tape.gradient(total, values, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return [slope.numpy() for slope in found]


def weights(network):
    """Return copies of the trained weights."""
    return [array(variable) for variable in network.trainable_variables]


def record(monkeypatch, owner, name):
    """Let `owner.name` note its results; return the growing list of (arguments, result)."""
    calls, original = [], getattr(owner, name)

    def noted(*args, **kwargs):
        calls.append((args, original(*args, **kwargs)))
        return calls[-1][1]

    monkeypatch.setattr(owner, name, noted)
    return calls


# --- the step


def test_each_update_of_each_step_draws_codes_of_its_own(monkeypatch, tuples):
    model = make()
    calls = record(monkeypatch, model.latents, "tuples")
    for _ in range(2):
        model.train_step(tf.constant(tuples()))
    codes = [result.numpy() for _, result in calls]
    assert [code.shape for code in codes] == [(4, 2, 5)] * 4
    assert len(np.unique(np.concatenate(codes)[..., :2].reshape(-1, 2), axis=0)) == 4 * 4
    assert len(np.unique(np.concatenate(codes)[..., 2:].reshape(-1, 3), axis=0)) == 4 * 4 * 2


@pytest.mark.parametrize("mixed", [0.0, 0.5])
def test_the_discriminator_descends_its_loss(monkeypatch, tuples, mixed):
    model, by_hand = make(mixed=mixed), make()
    calls = record(monkeypatch, model.latents, "tuples")
    real = to_float(tf.constant(tuples()))
    generator = weights(model.generator)
    loss, d_real, d_fake = model._update_discriminator(real)

    codes = tf.reshape(calls[0][1], [-1, 5])
    fake = tf.reshape(by_hand.generator(codes, training=True), real.shape)
    found = {}

    def expected_loss():
        # Separate passes, as in the released code.
        scores = [by_hand.discriminator(each, training=True) for each in (real, fake)]
        found["scores"] = [float(tf.reduce_mean(score)) for score in scores]
        total = objectives.DCGAN.discriminator_loss(*scores)
        if mixed:
            score = by_hand.discriminator(mix_identities(real), training=True)
            total += mixed * tf.reduce_mean(tf.nn.softplus(score)) / 2
        found["loss"] = float(total)
        return total

    before = weights(by_hand.discriminator)
    changes = slopes(expected_loss, by_hand.discriminator)
    assert [float(d_real), float(d_fake)] == pytest.approx(found["scores"], rel=1e-3)
    assert float(loss) == pytest.approx(found["loss"], rel=1e-4)
    for after, old, change in zip(weights(model.discriminator), before, changes):
        np.testing.assert_allclose(after, old - change, rtol=1e-3, atol=1e-4)
    for after, old in zip(weights(model.generator), generator):
        np.testing.assert_array_equal(after, old)


def test_the_generator_descends_its_loss_against_the_new_discriminator(monkeypatch, tuples):
    model, by_hand = make(), make()
    real = to_float(tf.constant(tuples()))
    for each in (model, by_hand):
        each._update_discriminator(real)
    calls = record(monkeypatch, model.latents, "tuples")
    discriminator = weights(model.discriminator)
    loss = model._update_generator(tf.constant(4))

    codes = tf.reshape(calls[0][1], [-1, 5])

    def expected_loss():
        fake = tf.reshape(by_hand.generator(codes, training=True), real.shape)
        score = by_hand.discriminator(fake, training=True)
        return tf.reduce_mean(tf.nn.softplus(-score))

    before = weights(by_hand.generator)
    assert float(loss) == pytest.approx(float(expected_loss()), rel=1e-4)
    changes = slopes(expected_loss, by_hand.generator)
    assert max(np.abs(change).max() for change in changes) > 1e-3
    for after, old, change in zip(weights(model.generator), before, changes):
        np.testing.assert_allclose(after, old - change, rtol=1e-3, atol=1e-4)
    for after, old in zip(weights(model.discriminator), discriminator):
        np.testing.assert_array_equal(after, old)


def test_logs_are_running_means(tuples):
    model = make()
    real = tf.constant(tuples())
    first = {name: float(value) for name, value in model.train_step(real).items()}
    model.reset_metrics()
    second = model.train_step(real)
    again = make()
    again.train_step(real)
    both = again.train_step(real)
    for name in SDGAN.LOGS:
        assert float(both[name]) == pytest.approx((first[name] + float(second[name])) / 2, rel=1e-4)


def test_bytes_and_floats_are_the_same_pictures(tuples):
    first, second = make(), make()
    first.train_step(tf.constant(tuples()))
    second.train_step(tf.constant(tuples() / 127.5 - 1, tf.float32))
    assert_equal(arrays(first), arrays(second), rtol=1e-3, atol=1e-5)


# --- later additions


def test_mixed_tuples_take_their_second_half_from_the_next_identity():
    tuples = tf.reshape(tf.range(12.0), [3, 4, 1, 1, 1])
    expected = [[0, 1, 10, 11], [4, 5, 2, 3], [8, 9, 6, 7]]
    assert mix_identities(tuples)[..., 0, 0, 0].numpy().tolist() == expected
    # Of three pictures one is kept.
    triples = tf.reshape(tf.range(6.0), [2, 3, 1, 1, 1])
    assert mix_identities(triples)[..., 0, 0, 0].numpy().tolist() == [[0, 4, 5], [3, 1, 2]]


def test_r1_adds_the_gradient_of_the_squared_slopes_on_due_steps_only(tuples):
    options = {"norm": "none", "r1_every": 3}
    real = to_float(tf.constant(tuples(count=2)))

    plain, penalised = make(**options), make(r1=0.2, **options)
    for model in (plain, penalised):
        model.step.assign(4)
        model._update_discriminator(real)
    for off, on in zip(weights(plain.discriminator), weights(penalised.discriminator)):
        np.testing.assert_array_equal(on, off)

    plain, penalised, by_hand = make(**options), make(r1=0.2, **options), make(**options)
    for model in (plain, penalised):
        model.step.assign(3)
        model._update_discriminator(real)

    def penalty():
        total = 0.0
        for index in range(2):
            one = real[index : index + 1]
            with tf.GradientTape() as tape:
                tape.watch(one)
                score = by_hand.discriminator(one)[0]
            total += tf.reduce_sum(tape.gradient(score, one) ** 2)
        # A half of r1 = 0.2, three times as strong for being applied at one step of three.
        return 0.1 * 3 * total / 2

    changes = slopes(penalty, by_hand.discriminator)
    assert max(np.abs(change).max() for change in changes[:-1]) > 1e-3
    pairs = zip(weights(plain.discriminator), weights(penalised.discriminator), changes)
    for off, on, change in pairs:
        np.testing.assert_allclose(off - on, change, rtol=1e-3, atol=1e-5)


def test_r1_leaves_the_moving_statistics_to_the_other_passes(tuples):
    real = to_float(tf.constant(tuples()))
    model = make(r1=0.2)
    before = arrays(model, "discriminator")
    slopes_found = [tf.constant(0.0 * value) for value in weights(model.discriminator)]
    slopes_found = model._add_penalty(slopes_found, real)
    assert max(np.abs(slope).max() for slope in slopes_found) > 1e-3
    assert_equal(arrays(model, "discriminator"), before)


def test_real_and_fake_pictures_are_both_augmented_each_time_anew(monkeypatch, tuples):
    model = make(augment="cutout", mixed=1.0)
    calls = record(monkeypatch, augmentation, "augment")
    judged = record(monkeypatch, model.discriminator, "call")
    for _ in range(2):
        model.train_step(tf.constant(tuples()))
    # Real, fake and mixed for the discriminator; fake for the generator.
    assert [len(arguments[0]) for arguments, _ in calls] == [12, 4, 12, 4]
    seeds = {tuple(arguments[2].numpy().tolist()) for arguments, _ in calls}
    assert len(seeds) == 4
    for (_, changed), (arguments, _) in zip(calls, judged):
        np.testing.assert_array_equal(arguments[0], changed)


# --- what comes in


@pytest.mark.parametrize(
    ("shape", "dtype", "message"),
    [
        ((4, 3, 8, 8, 3), "uint8", r"\[batch, 2, 8, 8, 3\].*Received: shape \(4, 3, 8, 8, 3\)"),
        ((4, 2, 16, 16, 3), "uint8", r"opened at image_size=8, channels=3"),
        ((4, 2, 8, 8, 1), "uint8", r"Received: shape \(4, 2, 8, 8, 1\)"),
        ((4, 8, 8, 3), "uint8", r"Received: shape \(4, 8, 8, 3\)"),
        ((4, 2, 8, 8, 3), "int32", r"Received: int32; convert by tf.cast"),
    ],
)
def test_wrong_batches_are_refused(shape, dtype, message):
    model = make()
    for judge in (model.train_step, model.score):
        with pytest.raises(ValueError, match=message):
            judge(tf.zeros(shape, dtype))
    assert int(model.step) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k": 0}, "Received: k=0"),
        ({"channels": 4}, "Received: channels=4"),
        ({"dim": 0}, "Received: dim=0"),
        ({"ema": 1.0}, "Received: ema=1.0"),
        ({"precision": "bfloat16"}, "Received: 'bfloat16'"),
        ({"image_size": 12}, "Received: image_size=12"),
        ({"codes": "gauss"}, "Received: 'gauss'"),
        ({"objective": "gan"}, "Received: 'gan'"),
        ({"norm": "layer"}, "Received: norm='layer'"),
        ({"augment": "rotate"}, "Received: 'rotate'"),
        ({"mixed": 0.5, "k": 1}, "Received: mixed=0.5, k=1"),
        ({"mixed": -0.5}, "Received: mixed=-0.5"),
        ({"r1": -1.0}, "r1=-1.0"),
        ({"r1_every": 0}, "r1_every=0"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        SDGAN(**{**TINY, **arguments})


def test_the_defaults_are_the_papers():
    model = SDGAN()
    config = model.get_config()
    paper = {"image_size": 64, "channels": 3, "dim": 64, "d_i": 50, "d_o": 50, "k": 2}
    paper |= {"codes": "uniform", "objective": "dcgan", "norm": "batch"}
    off = {"mixed": 0.0, "r1": 0.0, "augment": "", "ema": 0.0, "precision": "float32"}
    assert {name: config[name] for name in {**paper, **off}} == {**paper, **off}
    assert model.parameters() == {"generator": 5_135_363, "discriminator": 9_030_529}
    for optimizer in model.default_optimizers():
        options = optimizer.get_config()
        names = ("learning_rate", "beta_1", "beta_2")
        assert [options[name] for name in names] == pytest.approx([2e-4, 0.5, 0.999])


# --- what comes out


def test_a_score_does_not_depend_on_its_neighbours(tuples):
    model = make()
    images = tuples(count=5)
    scores = model.score(images)
    assert scores.shape == [5] and scores.dtype == tf.float32
    np.testing.assert_allclose(model.score(images[2:3]), scores[2:3], rtol=1e-4)
    assert len(np.unique(scores)) == 5
    np.testing.assert_array_equal(scores, model.discriminator(to_float(tf.constant(images))))


@pytest.mark.parametrize("asked", [0, -1, [], np.array([], np.int64)])
def test_empty_grids_are_refused(asked):
    model = make()
    for arguments in ((asked, 2), (2, asked)):
        with pytest.raises(ValueError, match="at least one row and one column"):
            model.generate(*arguments)


def test_counts_may_be_numpys():
    model = make()
    np.testing.assert_array_equal(model.generate(np.int64(2), 1), model.generate(2, 1))


# --- several devices


@pytest.fixture(scope="module")
def mirrored():
    """Return what `mirrored_run.py` found on two logical devices, in a process that has them."""
    here = Path(__file__).parent
    paths = [str(here.parents[1]), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, str(here / "mirrored_run.py")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_mirrored_training_runs_in_step(mirrored):
    assert mirrored["replicas"] == 2
    assert mirrored["step"] == 2
    assert mirrored["moved"] and mirrored["apart"] == []
    assert np.all(np.isfinite(mirrored["losses"]))


def test_replicas_draw_different_codes(mirrored):
    first, second = mirrored["codes"]
    assert np.shape(first) == np.shape(second) == (4, 5)
    assert not np.any(np.isclose(first, second))


def test_an_update_is_the_mean_over_replicas(mirrored):
    # The loss is the sum of the weights times 1 on one replica and times 3 on the other.
    np.testing.assert_allclose(mirrored["change"], -2.0, rtol=1e-5)
