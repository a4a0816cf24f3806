"""SD-GAN: the battery over several configurations, then one property of the step at a time."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from sdgan_tf import augmentation, keras_compat, objectives
from sdgan_tf.data import IdentityData
from sdgan_tf.evaluation import VerifierError, load_verifier, train_verifier
from sdgan_tf.images import to_float
from sdgan_tf.models import SDGAN, penalties
from sdgan_tf.models.judges import strangers
from sdgan_tf.networks import siamese
from sdgan_tf.randomness import stateless_seed
from tests.models.model_case import (
    ModelCase,
    array,
    arrays,
    assert_equal,
    descending,
    differ,
    gradients,
    weights,
)

TINY = {"image_size": 8, "dim": 2, "d_i": 2, "d_o": 3}


class TestPaper(ModelCase):
    """As the paper has it."""

    model_class = SDGAN
    arguments = TINY
    steps_per_execution = 2


class TestLaterAdditions(ModelCase):
    """What the paper does not have switched on, with grey images and triples."""

    model_class = SDGAN
    arguments = {
        **TINY,
        **{
            "channels": 1,
            "k": 3,
            "law": "normal",
            "objective": "relativistic",
            "norm": "spectral",
        },
        **{"towers": "stacked", "join": "dense", "join_layers": 2, "critic_steps": 2, "mixed": 0.5},
        **{"r1": 0.3, "r2": 0.2, "r1_every": 2, "lecam": 0.1, "augment": "translation"},
        **{"ema": 0.9, "seed": 5, "initializer": "he_normal"},
    }
    each_step = {"critic_steps": 1}


def make(rate=1.0, **arguments):
    """Return a model of not too small weights, which optimizers move by `rate` times the gradient."""
    model = SDGAN(**{**TINY, **arguments})
    for network in (model.generator, model.discriminator):
        network.set_weights([10 * value for value in network.get_weights()])
    model.compile(**descending(rate))
    return model


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


@pytest.mark.parametrize(
    ("mixed", "towers"), [(0.0, "siamese"), (0.5, "siamese"), (0.5, "stacked")]
)
def test_the_discriminator_descends_its_loss(monkeypatch, tuples, mixed, towers):
    model, by_hand = make(mixed=mixed, towers=towers), make(towers=towers)
    calls = record(monkeypatch, model.latents, "tuples")
    real = to_float(tf.constant(tuples()))
    generator = weights(model.generator)
    logs = model._update_discriminator(real, None)

    codes = tf.reshape(calls[0][1], [-1, 5])
    fake = tf.reshape(by_hand.generator(codes, training=True), real.shape)
    expected = {}

    def expected_loss():
        # Separate passes, as in the released code.
        scores = [by_hand.discriminator(each, training=True) for each in (real, fake)]
        expected["scores"] = [float(tf.reduce_mean(score)) for score in scores]
        total = sum(
            tf.reduce_mean(tf.nn.softplus(sign * score)) / 2 for sign, score in zip((-1, 1), scores)
        )
        if mixed:
            score = by_hand.discriminator(penalties.mix(real), training=True)
            total += mixed * tf.reduce_mean(tf.nn.softplus(score)) / 2
        expected["loss"] = float(total)
        return total

    before = weights(by_hand.discriminator)
    changes = gradients(expected_loss, by_hand.discriminator)
    means = [float(logs["d_real"]), float(logs["d_fake"])]
    assert means == pytest.approx(expected["scores"], rel=1e-3)
    assert float(logs["d_loss"]) == pytest.approx(expected["loss"], rel=1e-4)
    for after, old, change in zip(weights(model.discriminator), before, changes):
        np.testing.assert_allclose(after, old - change, rtol=1e-3, atol=1e-4)
    for after, old in zip(weights(model.generator), generator):
        np.testing.assert_array_equal(after, old)


def test_the_generator_descends_its_loss_against_the_new_discriminator(monkeypatch, tuples):
    model, by_hand = make(), make()
    real = to_float(tf.constant(tuples()))
    for each in (model, by_hand):
        each._update_discriminator(real, None)
    calls = record(monkeypatch, model.latents, "tuples")
    discriminator = weights(model.discriminator)
    loss = model._update_generator(real)

    codes = tf.reshape(calls[0][1], [-1, 5])

    def expected_loss():
        fake = tf.reshape(by_hand.generator(codes, training=True), real.shape)
        score = by_hand.discriminator(fake, training=True)
        return tf.reduce_mean(tf.nn.softplus(-score))

    before = weights(by_hand.generator)
    assert float(loss) == pytest.approx(float(expected_loss()), rel=1e-4)
    changes = gradients(expected_loss, by_hand.generator)
    assert max(np.abs(change).max() for change in changes) > 1e-3
    for after, old, change in zip(weights(model.generator), before, changes):
        np.testing.assert_allclose(after, old - change, rtol=1e-3, atol=1e-4)
    for after, old in zip(weights(model.discriminator), discriminator):
        np.testing.assert_array_equal(after, old)


def test_the_first_weights_of_the_discriminator_may_keep_signals_at_their_size(tuples):
    deviations = {
        name: np.std(
            SDGAN(**{**TINY, "dim": 8, "norm": "none", "initializer": name}).score(tuples())
        )
        for name in ("dcgan", "he_normal")
    }
    assert deviations["he_normal"] > 30 * deviations["dcgan"] > 0
    with pytest.raises(
        ValueError, match="initializer of a Siamese.*is one of.*Received: initializer='zeros'"
    ):
        SDGAN(**TINY, initializer="zeros")


def test_half_precision_changes_the_numbers_by_its_rounding_and_no_more(tuples):
    images = to_float(tf.constant(tuples()))
    full, half = make(dim=8), make(dim=8, precision="mixed_bfloat16")
    codes = full.draw(4, "codes")
    exact, rounded = (model.generator(codes, training=True).numpy() for model in (full, half))
    assert exact.std() > 0.1
    # bfloat16 keeps 8 bits, float32 24: a model that computes in float32 all the same is caught.
    assert 1e-4 < np.abs(exact - rounded).mean() < 0.02
    features = [siamese.features_of(model.discriminator, [images])[0] for model in (full, half)]
    assert [each.dtype for each in features] == [tf.float32, tf.bfloat16]

    before = weights(full.discriminator)
    logs = [model._update_discriminator(images, None) for model in (full, half)]
    for name, value in logs[0].items():
        assert float(value) == pytest.approx(float(logs[1][name]), rel=0.05, abs=0.05), name
    changes = [
        np.concatenate([(new - old).ravel() for new, old in zip(weights(net), before)])
        for net in (full.discriminator, half.discriminator)
    ]
    apart = np.linalg.norm(changes[0] - changes[1]) / np.linalg.norm(changes[0])
    assert 1e-4 < apart < 0.3


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


def test_bytes_and_floats_are_the_same_images(tuples):
    first, second = make(), make()
    first.train_step(tf.constant(tuples()))
    second.train_step(tf.constant(tuples() / 127.5 - 1, tf.float32))
    assert_equal(arrays(first), arrays(second), rtol=1e-3, atol=1e-5)


# --- later additions


def test_mixed_tuples_of_one_identity_cost_nothing(tuples):
    images = tuples()
    real, far = to_float(tf.constant(images)), tf.constant([0, 1, 2, 3], tf.int64)

    def change(identity):
        model = make(mixed=0.5)
        model._update_discriminator(real, identity)
        return weights(model.discriminator)

    plain = make()
    plain._update_discriminator(real, None)
    for one, two in zip(change(tf.constant([7] * 4, tf.int64)), weights(plain.discriminator)):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-5)
    pairs = [*zip(change(far), weights(plain.discriminator))]
    assert max(np.abs(one - two).max() for one, two in pairs) > 1e-3
    for one, two in zip(change(far), change(None)):
        np.testing.assert_array_equal(one, two)


def test_the_step_knows_mixed_tuples_by_the_batchs_identity(monkeypatch, tuples):
    model = make(mixed=0.5)
    calls = record(monkeypatch, penalties, "truly_mixed")
    identity = tf.constant([5, 7, 7, 5], tf.int64)
    model.train_step({"images": tf.constant(tuples()), "identity": identity})
    model.train_step(tf.constant(tuples()))
    assert [weight.numpy().tolist() for _, weight in calls] == [[0, 1, 0, 1], [1, 1, 1, 1]]


def test_a_batch_of_one_tuple_is_refused_where_tuples_are_mixed(tuples):
    model = make(mixed=0.5)
    with pytest.raises(ValueError, match="raise batch_size. Received: 1 tuple"):
        model.train_step(tf.constant(tuples(count=1)))
    assert model.completed_steps == 0
    make(norm="none").train_step(tf.constant(tuples(count=1)))


def squared_gradients(discriminator, tuples):
    """Return the squared norm of each tuple's gradient, from one pass for each tuple."""
    squares = []
    for index in range(len(tuples)):
        one = tuples[index : index + 1]
        with tf.GradientTape() as tape:
            tape.watch(one)
            score = discriminator(one)[0]
        squares.append(tf.reduce_sum(tape.gradient(score, one) ** 2))
    return tf.stack(squares)


def random_tuples(seed, count=2):
    """Return fixed random tuples, float32 in [-1, 1]."""
    shape = (count, 2, 8, 8, 3)
    return tf.constant(np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32))


def added(model, real, fake):
    """Return what the penalties add to gradients of 0, as arrays."""
    zeros = [tf.constant(0.0 * value) for value in weights(model.discriminator)]
    return [gradient.numpy() for gradient in model._add_penalties(zeros, real, fake)]


@pytest.mark.parametrize(("r1", "r2"), [(0.2, 0.0), (0.0, 0.3), (0.2, 0.3)])
def test_r1_and_r2_add_the_gradients_of_the_squared_gradients(r1, r2):
    model = make(norm="none", r1=r1, r2=r2, r1_every=3)
    real, fake = random_tuples(0), 0.5 * random_tuples(1)

    def penalty():
        # A half of each weight, three times as strong for being applied at one step of three.
        squares = [squared_gradients(model.discriminator, tuples) for tuples in (real, fake)]
        return 1.5 * (r1 * tf.reduce_mean(squares[0]) + r2 * tf.reduce_mean(squares[1]))

    expected = gradients(penalty, model.discriminator)
    assert max(np.abs(gradient).max() for gradient in expected[:-1]) > 1e-3
    model.step.assign(6)
    for mine, gradient in zip(added(model, real, fake), expected):
        np.testing.assert_allclose(mine, gradient, rtol=1e-3, atol=1e-5)
    # Nothing is due at other steps.
    for step in (7, 8):
        model.step.assign(step)
        assert not any(np.any(gradient) for gradient in added(model, real, fake))


def test_penalties_are_of_the_tuples_that_the_discriminator_has_seen(monkeypatch, tuples):
    model = make(norm="none", r1=0.1, r2=0.1, augment="cutout", mixed=0.5)
    seen = record(monkeypatch, siamese, "features_of")
    penalised = record(monkeypatch, model, "_add_penalties")
    before = weights(model.discriminator)
    model._update_discriminator(to_float(tf.constant(tuples())), None)
    (_, classes), (_, real, fake) = seen[0][0], penalised[0][0]
    np.testing.assert_array_equal(tf.concat([real, fake], 0), tf.concat(classes, 0))
    # What they add reaches the optimizer.
    for after, old, gradient in zip(weights(model.discriminator), before, penalised[0][1]):
        np.testing.assert_allclose(after, old - gradient, rtol=1e-4, atol=1e-5)


def test_penalties_leave_the_moving_statistics_to_the_other_passes(tuples):
    real = to_float(tf.constant(tuples()))
    model = make(r1=0.2, r2=0.2)
    before = arrays(model, "discriminator")
    assert max(np.abs(gradient).max() for gradient in added(model, real, 0.5 * real)) > 1e-3
    assert_equal(arrays(model, "discriminator"), before)


def test_lecam_anchors_are_part_of_the_state_and_saved(tmp_path):
    model = make(lecam=0.5)
    assert model.state()["anchors"] is model.anchors
    assert "anchors" not in make().state()
    model.anchors.assign([0.25, -0.75])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.anchors, [0.25, -0.75])


def test_lecam_is_part_of_the_discriminators_loss(monkeypatch, tuples):
    real = to_float(tf.constant(tuples()))
    plain, anchored = make(), make(lecam=0.5)
    anchored.anchors.assign([2.0, -3.0])
    calls = record(monkeypatch, penalties, "lecam")
    off, on = (
        float(model._update_discriminator(real, None)["d_loss"]) for model in (plain, anchored)
    )
    _, *scores = calls[0][0]
    above = np.maximum(scores[0] + 3.0, 0) ** 2
    below = np.maximum(2.0 - scores[1], 0) ** 2
    assert on - off == pytest.approx(0.5 * (above.mean() + below.mean()), rel=1e-3)
    pairs = zip(weights(plain.discriminator), weights(anchored.discriminator))
    assert any(np.abs(one - two).max() > 1e-3 for one, two in pairs)


def test_a_recogniser_reads_codes_back_from_single_images(monkeypatch, tuples):
    images = to_float(tf.constant(tuples()))
    plain, model = make(rate=1e-3), make(rate=1e-3, recognise_i=0.5, recognise_o=0.25)
    assert set(model.networks) == {"generator", "discriminator", "recogniser"}
    assert model.players == {"d": ("discriminator", "recogniser"), "g": ("generator",)}
    features = siamese.features_of(model.discriminator, [images])[0]
    assert model.recogniser(tf.reshape(features, [8, -1])).shape == [8, 5]

    codes = record(monkeypatch, model.latents, "tuples")
    read = record(monkeypatch, model.recogniser, "call")
    logs = model._update_discriminator(images, None)
    errors = (codes[0][1].numpy() - read[0][1].numpy().reshape(4, 2, 5)) ** 2
    assert float(logs["recognise_i"]) == pytest.approx(errors[..., :2].mean(), rel=1e-4)
    assert float(logs["recognise_o"]) == pytest.approx(errors[..., 2:].mean(), rel=1e-4)
    expected = float(plain._update_discriminator(images, None)["d_loss"])
    expected += 0.5 * errors[..., :2].mean() + 0.25 * errors[..., 2:].mean()
    assert float(logs["d_loss"]) == pytest.approx(expected, rel=1e-4)

    before = weights(model.recogniser), weights(model.discriminator)
    drawn = model.draw(4, "codes of the generator")
    fake = model.as_tuples(model.generator(drawn, training=True))
    cost = float(tf.reduce_mean(tf.nn.softplus(-siamese.score(model.discriminator, fake))))
    loss = float(model._update_generator(images))
    errors = (drawn.numpy().reshape(4, 2, 5) - read[1][1].numpy().reshape(4, 2, 5)) ** 2
    expected = cost + 0.5 * errors[..., :2].mean() + 0.25 * errors[..., 2:].mean()
    assert loss == pytest.approx(expected, rel=1e-4) and cost > 1e-3
    for network, old in zip((model.recogniser, model.discriminator), before):
        for value, kept in zip(weights(network), old):
            np.testing.assert_array_equal(value, kept)
    assert {"recognise_i", "recognise_o"} <= set(
        make(recognise_i=1.0, recognise_o=1.0).train_step(images)
    )


def test_a_recogniser_needs_what_is_seen_in_single_images():
    with pytest.raises(ValueError, match="Received: SiameseDCGANDiscriminator, which sees tuples"):
        SDGAN(**TINY, towers="stacked", recognise_i=1.0)
    assert SDGAN(**TINY, recognise_o=1.0, hidden=3).recogniser.hidden == 3


# --- identity features

SEEN = {"identity_features": 0.5, "embedder_dim": 2, "embedding_size": 4, "matcher_width": 3}


class TestIdentityFeatures(ModelCase):
    """A matcher on frozen features, from which z_I is read, too."""

    model_class = SDGAN
    arguments = {
        **TINY,
        **SEEN,
        **{"mixed": 0.5, "recognise_i": 1.0, "recognise_o": 0.5, "recognise_until": 0.5},
        **{"recognise_by": "embedder", "strangers": 0.5},
    }

    @classmethod
    def make(cls, *args, **kwargs):
        model = super().make(*args, **kwargs)
        model.prepared.assign(1)
        return model


def seen_by(model, tuples):
    """Return what the matcher is told of tuples [n, 2, h, w, c]: embeddings of length 2, [n, 2, 4]."""
    return 2.0 * tf.stack([model.embedder(tuples[:, place]) for place in range(2)], 1)


@pytest.mark.parametrize("mixed", [0.0, 0.5])
def test_a_matcher_adds_its_own_adversarial_loss(tuples, mixed):
    images = to_float(tf.constant(tuples()))
    plain, model = make(rate=1e-3, mixed=mixed), make(rate=1e-3, mixed=mixed, **SEEN)
    assert model.players == {"d": ("discriminator", "matcher"), "g": ("generator",)}
    codes = model.draw(4, "codes of the discriminator")
    fake = seen_by(model, model.as_tuples(model.generator(codes, training=True)))
    real = seen_by(model, images)
    scores = [model.matcher(kind).numpy() for kind in (real, fake, penalties.mix(real))]
    cost = np.logaddexp(0, -scores[0]).mean() + np.logaddexp(0, scores[1]).mean()
    cost = 0.5 * (cost + mixed * np.logaddexp(0, scores[2]).mean())

    before, embedder = weights(model.matcher), arrays(model, "embedder")
    added = float(model._update_discriminator(images, None)["d_loss"])
    added -= float(plain._update_discriminator(images, None)["d_loss"])
    assert added == pytest.approx(0.5 * cost, rel=1e-3)
    assert any((new != old).any() for new, old in zip(weights(model.matcher), before))
    assert_equal(arrays(model, "embedder"), embedder)


def test_the_generator_learns_from_both_discriminators(tuples):
    images = to_float(tf.constant(tuples()))
    model = make(rate=1e-3, **SEEN)
    codes = model.draw(4, "codes of the generator")
    fake = model.as_tuples(model.generator(codes, training=True))
    scores = siamese.score(model.discriminator, fake), model.matcher(seen_by(model, fake))
    one, two = (float(tf.reduce_mean(tf.nn.softplus(-part))) for part in scores)
    before = weights(model.matcher)
    assert float(model._update_generator(images)) == pytest.approx(one + 0.5 * two, rel=1e-4)
    for value, kept in zip(weights(model.matcher), before):
        np.testing.assert_array_equal(value, kept)


def test_a_second_matcher_compares_strangers_that_share_their_observation_code(tuples):
    images = to_float(tf.constant(tuples()))
    # The third tuple shows the identity of the first, and is no stranger to it.
    identity = tf.constant([5, 6, 5, 7], tf.int64)
    plain, model = (make(rate=1e-3, **SEEN, strangers=weight) for weight in (0.0, 2.0))
    assert model.players["d"] == ("discriminator", "matcher", "stranger_matcher")
    codes = tf.reshape(model._draw(4, "codes of the discriminator"), [4, 2, 5])
    np.testing.assert_array_equal(codes[:2, :, 2:], codes[2:, :, 2:])
    assert np.all(codes[0, :, :2] != codes[2, :, :2])
    drawn = plain.as_tuples(plain.draw(4, "codes of the discriminator"))
    np.testing.assert_array_equal(codes[..., :2], drawn[..., :2])

    def cost(tuples, sign):
        seen = seen_by(model, tuples)
        pairs = tf.stack([seen[:2], seen[2:]], 2)
        return np.logaddexp(0, sign * model.stranger_matcher(tf.reshape(pairs, [4, 2, 4])).numpy())

    fake = model.as_tuples(model.generator(tf.reshape(codes, [8, 5]), training=True))
    of_fakes = cost(fake, 1).mean()
    expected = 0.5 * (cost(images, -1)[2:].mean() + of_fakes)
    other = make(rate=1e-3, **SEEN, strangers=4.0)
    losses = [
        float(each._update_discriminator(images, identity)["d_loss"]) for each in (model, other)
    ]
    assert losses[1] - losses[0] == pytest.approx(2.0 * expected, rel=1e-3)


def test_the_generator_learns_from_the_strangers(tuples):
    images = to_float(tf.constant(tuples()))
    model, other = (make(rate=1e-3, **SEEN, strangers=weight) for weight in (1.0, 3.0))
    codes = model._draw(4, "codes of the generator")
    seen = seen_by(model, model.as_tuples(model.generator(codes, training=True)))
    pairs = tf.reshape(tf.stack([seen[:2], seen[2:]], 2), [4, 2, 4])
    expected = float(tf.reduce_mean(tf.nn.softplus(-model.stranger_matcher(pairs))))
    added = float(other._update_generator(images)) - float(model._update_generator(images))
    assert added == pytest.approx(2.0 * expected, rel=1e-4)


def test_matchers_see_only_identities_that_were_held_out_from_the_embedder(tuples, monkeypatch):
    images = to_float(tf.constant(tuples()))
    # The first and the last two are held out.
    identity = tf.constant([1, 2, 3, 5], tf.int64)
    asked = {**SEEN, "mixed": 0.5, "strangers": 2.0, "held_out": 2}
    plain, model = make(rate=1e-3, mixed=0.5), make(rate=1e-3, **asked)
    codes = model._draw(4, "codes of the discriminator")
    monkeypatch.setattr(plain, "draw", lambda *_: codes)
    fake = seen_by(model, model.as_tuples(model.generator(codes, training=True)))
    real = seen_by(model, images)

    def cost(scores, sign, places=slice(None)):
        return np.logaddexp(0, sign * scores.numpy()[places]).mean()

    kept, mixed = [0, 2, 3], [0, 3]
    expected = cost(model.matcher(real), -1, kept) + cost(model.matcher(fake), 1)
    expected += 0.5 * cost(model.matcher(penalties.mix(real)), 1, mixed)
    # Of the pairs of strangers the first tuple with the third one is left.
    # Half of each sum is what a discriminator pays, and half is the matcher's weight.
    expected = 0.25 * expected + (
        cost(model.stranger_matcher(strangers(real)), -1, [0, 1])
        + cost(model.stranger_matcher(strangers(fake)), 1)
    )
    added = float(model._update_discriminator(images, identity)["d_loss"])
    added -= float(plain._update_discriminator(images, identity)["d_loss"])
    assert added == pytest.approx(expected, rel=1e-3)
    with pytest.raises(ValueError, match="a batch without `identity`"):
        model._update_discriminator(images, None)


def test_identities_are_held_out_from_the_embedder(monkeypatch):
    shown, models = [], [make(**SEEN, held_out=every) for every in (0, 2, 3)]

    def train(data: IdentityData, **_):
        shown.append(data.names)
        return SimpleNamespace(network=models[0].embedder)

    monkeypatch.setattr("sdgan_tf.evaluation.verifiers.train_verifier", train)
    images = np.zeros([12, 8, 8, 3], np.uint8)
    data = IdentityData(list("abcdef"), [2] * 6, images)
    for model in models:
        model.prepare(data)
    assert shown == [list("abcdef"), list("ace"), list("abde")]
    with pytest.raises(ValueError, match="Received: 3 identities, held_out=2"):
        make(**SEEN, held_out=2).prepare(data.subset(np.arange(3)))
    with pytest.raises(ValueError, match="Received: held_out=1"):
        SDGAN(**TINY, **SEEN, held_out=1)
    with pytest.raises(ValueError, match="where identity_features is above 0"):
        SDGAN(**TINY, held_out=2)


def test_strangers_need_an_embedder_and_a_user_s_matcher_is_made_twice():
    with pytest.raises(ValueError, match="where identity_features is above 0"):
        SDGAN(**TINY, strangers=1.0)
    with pytest.raises(ValueError, match="raise batch_size. Received: 1 tuple"):
        strangers(tf.zeros([1, 2, 4]))
    layers = [keras.layers.Flatten(), keras.layers.Dense(1), keras.layers.Reshape([])]
    seen = {name: value for name, value in SEEN.items() if name != "matcher_width"}
    model = SDGAN(**TINY, **seen, matcher=keras.Sequential(layers), strangers=1.0)
    assert model.stranger_matcher is not model.matcher


def test_the_identity_code_is_read_from_the_embedding_where_asked(monkeypatch, tuples):
    images = to_float(tf.constant(tuples()))
    asked = {"recognise_i": 1.0, "recognise_o": 1.0, "recognise_by": "embedder"}
    model = make(rate=1e-3, **SEEN, **asked)
    assert model.players["d"][2:] == ("recogniser", "identity_recogniser")
    codes = record(monkeypatch, model.latents, "tuples")
    read = record(monkeypatch, model.identity_recogniser, "call")
    logs = model._update_discriminator(images, None)
    assert read[0][0][0].shape == [8, 4]
    errors = (codes[0][1].numpy() - read[0][1].numpy().reshape(4, 2, 5)) ** 2
    assert float(logs["recognise_i"]) == pytest.approx(errors[..., :2].mean(), rel=1e-4)
    with pytest.raises(ValueError, match="where identity_features is above 0"):
        SDGAN(**TINY, recognise_i=1.0, recognise_by="embedder")
    with pytest.raises(ValueError, match="recognise_by='embedder', recognise_i=0.0"):
        make(**SEEN, recognise_by="embedder")


def test_a_code_that_is_read_well_enough_costs_the_generator_no_less(tuples):
    images = to_float(tf.constant(tuples()))
    plain = float(make(rate=1e-3)._update_generator(images))
    added = {
        until: float(
            make(rate=1e-3, recognise_i=1.0, recognise_until=until)._update_generator(images)
        )
        - plain
        for until in (0.0, 100.0)
    }
    assert 0.1 < added[0.0] < 50 and added[100.0] == pytest.approx(100, rel=1e-4)


def test_an_embedder_is_trained_on_the_training_identities_before_the_first_step(tuples, capsys):
    model = make(rate=1e-3, identity_steps=2, **SEEN)
    batches = tf.data.Dataset.from_tensors({"images": tuples()})
    with pytest.raises(RuntimeError, match="call model.prepare"):
        model.fit(batches, verbose=0, shuffle=False)
    images = np.random.default_rng(0).integers(0, 256, [6, 8, 8, 3], np.uint8)
    data = IdentityData(["a", "b", "c"], [2, 2, 2], images)
    drawn = arrays(model, "embedder")
    model.prepare(data)
    assert "3 identities and learns to tell them apart, for 2 steps" in capsys.readouterr().out
    trained = arrays(model, "embedder")
    assert differ(trained, drawn)
    model.prepare(data)
    assert_equal(arrays(model, "embedder"), trained)
    model.fit(batches, verbose=0, shuffle=False)
    assert model.completed_steps == 1
    assert_equal(arrays(model, "embedder"), trained)


def test_an_embedder_learns_from_a_teacher(tuples, capsys, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, [6, 8, 8, 3], np.uint8)
    data = IdentityData(["a", "b", "c"], [2, 2, 2], images)
    train_verifier(data, steps=1, dim=2, embedding_size=3).save(tmp_path / "eye")
    asked = {**SEEN, "teacher": str(tmp_path / "eye"), "identity_steps": 200, "embedder_dim": 16}
    model = make(**asked)
    model.prepare(data)
    assert f"learns to see them as {tmp_path / 'eye'} does" in capsys.readouterr().out
    teacher = load_verifier(tmp_path / "eye").embed(images)
    learned = model.embedder(to_float(images)).numpy()
    teacher -= teacher.mean(0)
    teacher /= np.linalg.norm(teacher, axis=1, keepdims=True)
    # Embeddings of four numbers hold the teacher's three, turned: the angles between images are his.
    assert np.corrcoef((learned @ learned.T).ravel(), (teacher @ teacher.T).ravel())[0, 1] > 0.9
    assert SDGAN.from_config(model.get_config()).identity_features.teacher == asked["teacher"]
    with pytest.raises(ValueError, match="where identity_features is above 0.*teacher='eye'"):
        SDGAN(**TINY, teacher="eye")
    own = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(3)])
    with pytest.raises(ValueError, match="Received: embedder=Sequential, teacher='eye'"):
        SDGAN(**TINY, embedder=own, identity_features=1.0, matcher_width=3, teacher="eye")
    with pytest.raises(VerifierError, match="nobody"):
        make(**{**asked, "teacher": "nobody"}).prepare(data)


def test_an_embedder_of_the_users_own_is_taken_as_it_is(tuples):
    layers = [keras.Input([8, 8, 3]), keras.layers.Flatten(), keras.layers.Dense(3)]
    embedder = keras.Sequential(layers)
    learned = embedder.get_weights()
    own = make(embedder=embedder, identity_features=1.0, matcher_width=3)
    drawn = arrays(own, "embedder")
    for kept, given in zip(own.embedder.get_weights(), learned):
        np.testing.assert_array_equal(kept, given)
    own.prepare(None)
    batches = tf.data.Dataset.from_tensors({"images": tuples()})
    own.fit(batches, verbose=0, shuffle=False)
    assert_equal(arrays(own, "embedder"), drawn)
    with pytest.raises(ValueError, match=r"float32 \[n, any\]"):
        SDGAN(**TINY, embedder=keras.Sequential([keras.layers.Dense(3)]), identity_features=1.0)


@pytest.mark.parametrize("objective", ["wgan", "wgan-gp"])
def test_what_bounds_the_discriminator_alone_is_refused_with_matchers(objective):
    with pytest.raises(ValueError, match=f"{objective} bounds .* Received: identity_features=0.5"):
        SDGAN(**TINY, **SEEN, objective=objective, norm="none")


def test_an_embedder_by_name_is_trained_as_it_was_made():
    model = make(**SEEN, pooling="mean", identity_steps=1)
    drawn, images = arrays(model, "embedder"), np.zeros([8, 8, 8, 3], np.uint8)
    model.prepare(IdentityData(list("abcd"), [2] * 4, images))
    trained = arrays(model, "embedder")
    assert model.embedder.pooling == "mean" and trained.keys() == drawn.keys()
    assert any(not np.array_equal(value, drawn[name]) for name, value in trained.items())
    with pytest.raises(ValueError, match="given ready, as a Keras model. Received: a Sequential"):
        model.identity_features.check_embedder(keras.Sequential())


# --- objectives


@pytest.mark.parametrize("objective", sorted(objectives.OBJECTIVES))
def test_every_objective_trains(tuples, objective):
    norm = "none" if objective == "wgan-gp" else "batch"
    model = SDGAN(**TINY, objective=objective, norm=norm, critic_steps=2)
    model.compile()
    before = weights(model.generator), weights(model.discriminator)
    for _ in range(2):
        logs = model.train_step(tf.constant(tuples()))
        assert set(logs) == set(SDGAN.LOGS)
        assert np.all(np.isfinite(list(logs.values())))
    for network, old in zip((model.generator, model.discriminator), before):
        assert all(np.all(np.isfinite(value)) for value in weights(network))
        assert any(not np.array_equal(*pair) for pair in zip(weights(network), old))


@pytest.mark.parametrize(
    ("arguments", "turns"),
    [
        ({}, [1, 2, 3]),
        ({"critic_steps": 2}, [2, 4]),
        ({"objective": "wgan"}, [5]),
        ({"objective": "wgan", "critic_steps": 1}, [1, 2, 3]),
        ({"objective": "relativistic", "critic_steps": 3}, [3]),
    ],
)
def test_the_generator_moves_on_its_turns_only(tuples, arguments, turns):
    model = make(rate=0.01, **arguments)
    moved = []
    for step in range(1, max(turns) + 1):
        before = weights(model.generator), weights(model.discriminator)
        model.train_step(tf.constant(tuples()))
        if any(not np.array_equal(*pair) for pair in zip(weights(model.generator), before[0])):
            moved.append(step)
        pairs = zip(weights(model.discriminator), before[1])
        assert any(not np.array_equal(*pair) for pair in pairs), "D moves at each"
    assert moved == turns


def test_what_is_logged_of_the_generator_between_its_turns(tuples):
    logs = make(objective="wgan").train_step(tf.constant(tuples()))
    assert float(logs["g_loss"]) == pytest.approx(-float(logs["d_fake"]))
    logs = make(objective="relativistic", critic_steps=2).train_step(tf.constant(tuples()))
    difference = float(logs["d_fake"]) - float(logs["d_real"])
    assert float(logs["g_loss"]) == pytest.approx(np.log1p(np.exp(-difference)), rel=1e-4)


@pytest.mark.parametrize("norm", ["batch", "spectral"])
def test_wgan_clips_kernels_and_biases_and_nothing_else(tuples, norm):
    model = make(objective="wgan", norm=norm, rate=1e-3, image_size=16)
    model.train_step(tf.constant(tuples(size=16)))
    clipped = {"kernel": [], "bias": []}
    for name, value in arrays(model, "discriminator").items():
        kind = name.split("/")[-1]
        if kind in clipped:
            clipped[kind].append(value)
        elif kind in ("gamma", "direction"):
            assert np.abs(value).max() > 0.1, name
    for values in clipped.values():
        assert len(values) == 4
        assert all(np.abs(value).max() <= np.float32(0.01) for value in values)
    assert all(np.abs(value).max() == np.float32(0.01) for value in clipped["kernel"])
    assert max(np.abs(value).max() for value in weights(model.generator)) > 0.1


def test_other_objectives_clip_nothing(tuples):
    model = make(objective="hinge", rate=1e-3)
    model.train_step(tf.constant(tuples()))
    assert all(np.abs(layer.kernel).max() > 0.02 for layer in model.discriminator.tower)


def test_the_interpolation_penalty_by_hand():
    model = make(objective="wgan-gp", norm="none", seed=3)
    real, fake = random_tuples(0, count=3), 0.5 * random_tuples(1, count=3)
    model.step.assign(7)
    seed = stateless_seed(3, "interpolation of the penalty", 7, 0)
    share = tf.random.stateless_uniform([3, 1, 1, 1, 1], seed, alg="philox")
    assert len(np.unique(share)) == 3
    between = fake + share * (real - fake)

    def penalty():
        norms = tf.sqrt(squared_gradients(model.discriminator, between))
        return 10 * tf.reduce_mean((norms - 1) ** 2)

    expected = gradients(penalty, model.discriminator)
    assert max(np.abs(gradient).max() for gradient in expected) > 1e-2
    for mine, gradient in zip(added(model, real, fake), expected):
        np.testing.assert_allclose(mine, gradient, rtol=1e-3, atol=1e-4)


def test_the_interpolation_penalty_is_finite_where_there_is_no_gradient():
    model = make(objective="wgan-gp", norm="none")
    model.discriminator.set_weights([0 * value for value in model.discriminator.get_weights()])
    assert all(
        np.all(np.isfinite(gradient))
        for gradient in added(model, random_tuples(0), random_tuples(1))
    )


def test_the_interpolation_penalty_refuses_batch_norm():
    with pytest.raises(ValueError, match="depend on the whole batch: take norm='none'"):
        SDGAN(**TINY, objective="wgan-gp")


def test_a_step_is_one_power_iteration(tuples):
    model = make(norm="spectral", rate=0.1, r1=0.1, mixed=0.5)
    layers = [*model.discriminator.tower, *model.discriminator.joint, model.discriminator.finish]
    for _ in range(2):
        expected = []
        for layer in layers:
            kernel = array(layer.kernel).reshape(-1, layer.kernel.shape[-1])
            moved = kernel.T @ (kernel @ array(layer.direction))
            expected.append(moved / np.linalg.norm(moved))
        model.train_step(tf.constant(tuples()))
        for layer, direction in zip(layers, expected):
            np.testing.assert_allclose(layer.direction, direction, rtol=1e-3, atol=1e-5)
    assert np.abs(array(layers[0].direction) - 1).max() > 0.05


@pytest.mark.skipif(keras_compat.KERAS_3, reason="TensorFlow Addons runs on Keras 2")
def test_spectral_norm_of_addons_trains_from_seeded_weights_and_is_saved(tuples, tmp_path):
    def addons(**arguments):
        keras.utils.set_random_seed(len(arguments))
        return make(norm="spectral-addons", rate=0.01, **arguments)

    model, same = addons(), addons(seed=0)
    assert_equal(arrays(model), arrays(same))
    images = tf.constant(tuples())
    for each in (model, same):
        each.train_step(images)
    assert_equal(arrays(model), arrays(same))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert_equal(arrays(loaded, "discriminator"), arrays(model, "discriminator"))
    names = [name for name in model.state() if name.startswith("discriminator")]
    assert len(names) == 3 * 3 and sum(name.endswith("sn_u") for name in names) == 3

    clipped = addons(objective="wgan")
    clipped.train_step(images)
    for layer in clipped.discriminator.tower:
        assert np.abs(layer.layer.kernel).max() == np.float32(0.01)


@pytest.mark.parametrize(
    ("objective", "signs"),
    [("dcgan", 1), ("lsgan", 1), ("hinge", 1), ("relativistic", 1), ("wgan", 0)],
)
def test_a_discriminator_that_tells_all_fakes_is_an_imbalance(objective, signs):
    model = SDGAN(**TINY, objective=objective)
    reasons = model.imbalance({"d_loss": 0.001})
    assert len(reasons) == signs
    assert all("(d_loss 0.0010, below 0.005)" in reason for reason in reasons)
    # Half of what chance costs, and of any sign where losses have no least.
    assert model.imbalance({"d_loss": 0.35 if signs else -5.0}) == []


def test_a_discriminator_far_worse_than_chance_is_an_imbalance():
    # Twice ln 2 / 2 for one that guesses, and a half of it more for each unit of mixed tuples.
    assert SDGAN(**TINY).imbalance({"d_loss": 2.0}) == []
    (reason,) = SDGAN(**TINY).imbalance({"d_loss": 2.5})
    assert reason == "the discriminator has diverged (d_loss 2.50, 0.69 for one that guesses)"
    assert SDGAN(**TINY, mixed=1.0).imbalance({"d_loss": 2.5}) == []
    assert SDGAN(**TINY, lecam=1.0).imbalance({"d_loss": 99.0}) == []


# --- augmentation


@pytest.mark.parametrize("alike", [False, True])
def test_real_and_fake_images_are_both_augmented_each_time_anew(monkeypatch, tuples, alike):
    model = make(augment="cutout", augment_alike=alike, mixed=1.0)
    calls = record(monkeypatch, augmentation, "augment")
    seen = record(monkeypatch, siamese, "features_of")
    for _ in range(2):
        model.train_step(tf.constant(tuples()))
    # Real and fake for the discriminator, which mixes by itself; fake for the generator.
    assert [len(arguments[0]) for arguments, _ in calls] == [8, 4, 8, 4]
    assert all(arguments[3] is alike for arguments, _ in calls)
    seeds = {tuple(arguments[2].numpy().tolist()) for arguments, _ in calls}
    assert len(seeds) == 4
    for (_, changed), (arguments, _) in zip(calls, seen):
        np.testing.assert_array_equal(tf.concat(arguments[1], 0), changed)


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
    for method in (model.train_step, model.score):
        with pytest.raises(ValueError, match=message):
            method(tf.zeros(shape, dtype))
    assert int(model.step) == 0


def test_a_batch_is_a_dictionary_or_the_images_alone(tuples):
    images = tf.constant(tuples())
    batches = (images, (images,), {"images": images}, {"images": images, "mask": tf.zeros([4])})
    states = []
    for batch in batches:
        model = make()
        model.train_step(batch)
        states.append(arrays(model))
    for state in states[1:]:
        assert_equal(state, states[0])
    with pytest.raises(ValueError, match=r"fields \('images',\).*Received: \['pictures'\]"):
        make().train_step({"pictures": images})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"codes": "normal"}, "those of DCGANGenerator, Siamese.*. Received: codes='normal'"),
        # What the constructor itself says of its parts.
        ({"code_size": 4}, "Received: code_size=4"),
        ({"mixd": 0.5, "r3": 1.0}, "Received: mixd=0.5, r3=1.0"),
        # There is no recogniser.
        ({"hidden": 3}, "Received: hidden=3"),
    ],
)
def test_options_that_no_part_takes_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        SDGAN(**TINY, **options)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k": 0}, "Received: k=0"),
        ({"channels": 4}, "Received: channels=4"),
        ({"dim": 0}, "Received: dim=0"),
        ({"ema": 1.0}, "Received: ema=1.0"),
        ({"precision": "bfloat16"}, "Received: precision='bfloat16'"),
        ({"image_size": 12}, "Received: image_size=12"),
        ({"law": "gauss"}, "law='gauss'"),
        ({"objective": "gan"}, "Received: objective='gan'"),
        ({"norm": "layer"}, "Received: norm='layer'"),
        ({"augment": "rotate"}, "Received: 'rotate'"),
        ({"mixed": 0.5, "k": 1}, "mixed=0.5, k=1"),
        ({"mixed": -0.5}, "Received: mixed=-0.5"),
        ({"r1": -1.0}, "r1=-1.0"),
        ({"r2": -1.0}, "r2=-1.0"),
        ({"lecam": -1.0}, "lecam=-1.0"),
        ({"critic_steps": -1}, "critic_steps=-1"),
        ({"towers": "twin"}, "Received: towers='twin'"),
        ({"join": "sum"}, "Received: join='sum'"),
        ({"join_layers": 3}, "Received: join='conv', join_layers=3"),
        ({"r1_every": 0}, "r1_every=0"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        SDGAN(**{**TINY, **arguments})


def test_the_defaults_are_the_papers():
    model = SDGAN()
    config = model.get_config()
    network = model.discriminator.get_config()
    paper = {"image_size": 64, "channels": 3, "d_i": 50, "d_o": 50, "k": 2}
    paper |= {"law": "uniform", "objective": "dcgan", "critic_steps": 0}
    paper |= {"generator": "dcgan", "discriminator": "dcgan"}
    off = {"augment": "", "ema": 0.0, "precision": "float32"}
    assert {name: config[name] for name in {**paper, **off}} == {**paper, **off}
    tower = {"dim": 64, "norm": "batch", "towers": "siamese", "join": "conv", "join_layers": 1}
    assert {name: network[name] for name in tower} == tower
    additions = vars(model.regularizers)
    assert additions.pop("r1_every") == 16
    assert set(additions.values()) == {0.0} and {"mixed", "r1", "recognise_i"} <= set(additions)
    assert model.parameters() == {"generator": 5_135_363, "discriminator": 9_030_529}
    optimizers = model.default_optimizers()
    assert set(optimizers) == {"d", "g"} and optimizers["d"] is not optimizers["g"]
    for optimizer in optimizers.values():
        options = optimizer.get_config()
        names = ("learning_rate", "beta_1", "beta_2", "epsilon")
        # The epsilon of TensorFlow 1, not Keras' 1e-7.
        assert [options[name] for name in names] == pytest.approx([2e-4, 0.5, 0.999, 1e-8])


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


def test_lazy_penalties_come_again_in_a_graph_of_real_size():
    """TensorFlow rewrites large sums: in a condition they ran once and failed at the next turn."""
    model = SDGAN(dim=32, norm="none", r1=0.3, r2=0.3, r1_every=2)
    model.compile()
    batch = tf.zeros([16, 2, 64, 64, 3], tf.uint8)
    step = tf.function(model.train_step)
    for _ in range(3):
        logs = step(batch)
    assert model.completed_steps == 3
    assert np.isfinite(logs["d_loss"])
