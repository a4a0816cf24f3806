"""Models that are told who is in an image: the battery, then one property of the step at a time."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from sdgan_tf.images import to_float
from sdgan_tf.models import ACDCGAN, DRGAN, ConditionalGAN, EncoderPairGAN, TablePairGAN
from sdgan_tf.networks import siamese
from tests.models.model_case import ModelCase, array, descending, gradients, weights

TINY = {"training_identities": 3, "image_size": 8, "dim": 2, "d_i": 2, "d_o": 3}
MODELS = {
    "ACDCGAN": ACDCGAN,
    "DRGAN": DRGAN,
    "EncoderPairGAN": EncoderPairGAN,
    "TablePairGAN": TablePairGAN,
}
every_model = pytest.mark.parametrize("model_class", MODELS.values(), ids=MODELS)


class TestTableAndNames(ModelCase):
    """As the paper has it, but for the average."""

    model_class = ConditionalGAN
    arguments = {**TINY, "identifier": "table", "told": "names", "ema": 0.9}


class TestEncoderAndPairs(ModelCase):
    """What the paper does not have switched on, with grey images."""

    model_class = ConditionalGAN
    arguments = {
        **TINY,
        **{"identifier": "encoder", "told": "pairs"},
        **{"channels": 1, "law": "normal", "norm": "none", "r1": 0.1},
        **{"augment": "translation", "ema": 0.9, "seed": 5},
        **{"recognise_i": 0.2, "recognise_o": 0.5},
    }

    @pytest.fixture(scope="class")
    @classmethod
    def vivid(cls):
        """Return a model that remembers all identities, whose codes and images differ."""
        model = cls.make()
        kernel = model.best("generator").finish.kernel
        kernel.assign(10 * array(kernel))
        memory = model.best("identifier").memory.kernel
        memory.assign(np.random.default_rng(0).uniform(-1, 1, memory.shape))
        return model


def make(model_class, rate=1.0, **arguments):
    """Return a model of not too small weights, which optimizers move by `rate` times the gradient."""
    model = model_class(**{**TINY, **arguments})
    for network in model.networks.values():
        for variable in network.trainable_variables:
            if variable.name.split(":")[0].endswith("kernel"):
                variable.assign(5 * array(variable))
    model.compile(**descending(rate))
    return model


def fields(images, labels):
    """Return a batch as data sets give it."""
    return {"images": tf.constant(images), "identity": tf.constant(labels, tf.int64)}


def batch(model, tuples, labels=(2, 0, 2)):
    """Return real tuples as floats, and who is in them."""
    images = to_float(tf.constant(tuples(len(labels), model.k)))
    return images, tf.constant(labels, tf.int64)


def assert_descended(before, networks, loss):
    """Check that networks have moved from `before`, where they are put back, by minus the gradients."""
    after = [weights(network) for network in networks]
    for network, values in zip(networks, before):
        for variable, value in zip(network.trainable_variables, values):
            variable.assign(value)
    for network, news, olds in zip(networks, after, before):
        changes = gradients(loss, network)
        assert max(np.abs(change).max() for change in changes) > 1e-3
        for new, old, change in zip(news, olds, changes):
            np.testing.assert_allclose(new, old - change, rtol=1e-3, atol=1e-4)
    return float(loss())


def by_hand(model, real, labels):
    """Return the losses of the next step, with separate passes for real and fake tuples.

    Both as functions, of the discriminator's and of the generator's weights.
    """

    def fakes(stream):
        observations = model.latents.tuples(3, 1, model.random(stream))[:, 0, 2:]
        if model.get_config()["identifier"] == "table":
            identity = tf.gather(tf.convert_to_tensor(model.identifier.table.kernel), labels)
        else:
            identity = tf.tanh(model.identifier.encoder(real[:, :1], training=True))
        images = model.generator(tf.concat([identity, observations], 1), training=True)
        if model.told == "names":
            return images[:, None]
        return tf.stack([images, real[:, 0]], 1)

    def outputs(tuples):
        out = model.discriminator(tuples, training=True)
        if model.told == "pairs":
            return out, 0.0
        logits = out[:, 1:]
        chosen = tf.gather(logits, labels, batch_dims=1)
        return out[:, 0], tf.reduce_mean(tf.reduce_logsumexp(logits, 1) - chosen)

    def discriminator_loss():
        (score, naming), (fake, fake_naming) = outputs(real), outputs(discriminator_fakes)
        adversarial = tf.reduce_mean(tf.nn.softplus(-score)) + tf.reduce_mean(tf.nn.softplus(fake))
        return (adversarial + naming + fake_naming) / 2

    def generator_loss():
        score, naming = outputs(fakes("codes of the generator"))
        return tf.reduce_mean(tf.nn.softplus(-score)) + naming

    discriminator_fakes = fakes("codes of the discriminator")
    return discriminator_loss, generator_loss


@every_model
def test_both_players_descend_the_papers_losses(model_class, tuples):
    model = make(model_class)
    real, labels = batch(model, tuples)
    expected_d, expected_g = by_hand(model, real, labels)

    before = [weights(model.discriminator)]
    logs = model._update_discriminator(real, labels)
    loss = assert_descended(before, [model.discriminator], expected_d)
    assert float(logs["d_loss"]) == pytest.approx(loss, rel=1e-4)

    moved = [model.generator, model.identifier]
    before = [weights(network) for network in moved]
    loss = float(model._update_generator(real, labels))
    assert loss == pytest.approx(assert_descended(before, moved, expected_g), rel=1e-4)


def test_rows_of_the_table_move_with_their_identities_alone(tuples):
    model = make(ACDCGAN)
    before = array(model.identifier.table.kernel)
    model._update_generator(*batch(model, tuples, labels=(2, 0, 2)))
    moved = np.any(array(model.identifier.table.kernel) != before, axis=1)
    assert moved.tolist() == [True, False, True]


def test_the_penalty_adds_the_squared_gradient_of_the_score(tuples):
    losses = []
    for r1 in (0.0, 0.5):
        model = make(ACDCGAN, norm="none", r1=r1)
        real, labels = batch(model, tuples)
        losses.append(float(model._update_discriminator(real, labels)["d_loss"]))
    with tf.GradientTape() as tape:
        tape.watch(real)
        score = make(ACDCGAN, norm="none").discriminator(real)[:, 0]
    squares = tf.reduce_sum(tf.square(tape.gradient(score, real)), [1, 2, 3, 4])
    assert losses[1] - losses[0] == pytest.approx(0.25 * np.mean(squares), rel=1e-2)
    assert losses[1] - losses[0] > 1e-5


@pytest.mark.parametrize("model_class", [ACDCGAN, TablePairGAN])
def test_a_recogniser_reads_codes_back_from_generated_images(model_class, tuples):
    plain = make(model_class, rate=1e-3)
    model = make(model_class, rate=1e-3, recognise_i=0.5, recognise_o=0.25)
    assert model.players["d"] == ("discriminator", "recogniser")
    real, labels = batch(model, tuples)

    def errors(stream):
        fake, codes = model._imagine(real, labels, stream)
        (features,) = siamese.features_of(model.discriminator, [fake])
        squares = (codes - model.recogniser(features[:, 0])).numpy() ** 2
        return squares[:, :2].mean(), squares[:, 2:].mean()

    of_identity, of_observation = errors("codes of the discriminator")
    expected = float(plain._update_discriminator(real, labels)["d_loss"])
    logs = model._update_discriminator(real, labels)
    assert float(logs["recognise_i"]) == pytest.approx(of_identity, rel=1e-4)
    assert float(logs["recognise_o"]) == pytest.approx(of_observation, rel=1e-4)
    expected += 0.5 * of_identity + 0.25 * of_observation
    assert float(logs["d_loss"]) == pytest.approx(expected, rel=1e-4)

    of_identity, of_observation = errors("codes of the generator")
    before = array(model.identifier.table.kernel), weights(model.recogniser)
    loss = float(model._update_generator(real, labels))
    assert loss > 0.5 * of_identity + 0.25 * of_observation
    assert np.any(array(model.identifier.table.kernel) != before[0])
    for value, kept in zip(weights(model.recogniser), before[1]):
        np.testing.assert_array_equal(value, kept)


def test_tables_show_their_rows_by_turns():
    model = make(ACDCGAN, training_identities=5)
    table = array(model.identifier.table.kernel)
    codes = model.identity_codes([0, 1, 4, 5, 9]).numpy()
    np.testing.assert_array_equal(codes, table[[0, 1, 4, 0, 4]])
    # `generate` counts from the seed times 2**32 on.
    later = model.identity_codes([2**32 + number for number in range(5)]).numpy()
    assert not np.array_equal(later, table)
    np.testing.assert_array_equal(np.sort(later, axis=0), np.sort(table, axis=0))
    np.testing.assert_array_equal(
        model.observation_codes([7]), model.latents.observation_codes([7])
    )


def test_encoders_show_the_last_codes_that_they_read(tuples):
    model = make(EncoderPairGAN, rate=0.0)
    assert not np.any(model.identity_codes([0, 1, 2]))
    real, labels = batch(model, tuples, labels=(2, 0, 2))
    model.train_step(fields(real, labels))
    other = -real
    model.train_step(fields(other, [0, 1, 1]))
    # Batch norm stands still with rate 0, but for its statistics: those of training are the batch's.
    read = [tf.tanh(model.identifier.encoder(each[:, :1], training=True)) for each in (real, other)]
    expected = [read[1][0], read[1][1], read[0][0]]
    codes = model.identity_codes([0, 1, 2, 3])
    np.testing.assert_allclose(codes[:3], expected, rtol=1e-5)
    np.testing.assert_array_equal(codes[3], codes[0])
    assert len(np.unique(codes, axis=0)) == 3 and np.abs(codes).max() < 1


def test_no_photograph_is_kept():
    def numbers(identities):
        model = make(EncoderPairGAN, training_identities=identities)
        return sum(array(value).size for value in model.state().values())

    # An identity more is a code more.
    assert numbers(4) - numbers(3) == TINY["d_i"]


def test_an_export_samples_the_same_identities(tuples, tmp_path):
    model = make(EncoderPairGAN, rate=0.0)
    model.train_step(fields(*batch(model, tuples, labels=(2, 0, 1))))
    signatures = tf.saved_model.load(str(model.export(tmp_path / "1"))).signatures
    seeds = {"identity_seed": [0, 2**32, 5], "observation_seed": [5, 5, 6]}
    answers = signatures["sample"](**{k: tf.constant(v, tf.int64) for k, v in seeds.items()})
    grid = model.generate(seeds["identity_seed"], [5, 6])
    np.testing.assert_array_equal(answers["images"], grid[[0, 1, 2], [0, 0, 1]])
    assert len(np.unique(answers["identity"].numpy().round(5), axis=0)) == 3


def test_the_papers_sizes():
    model = ACDCGAN(training_identities=10_000)
    assert sum(model.parameters().values()) == 32_796_596
    assert set(model.parameters()) == {"generator", "identifier", "discriminator"}
    optimizers = model.default_optimizers()
    first = optimizers["d"]
    assert set(optimizers) == {"d", "g"} and first is not optimizers["g"]
    assert isinstance(first, keras.optimizers.Adam)
    constants = float(first.learning_rate), first.beta_1, first.epsilon
    assert constants == pytest.approx((2e-4, 0.5, 1e-8))


@every_model
def test_scores_do_not_depend_on_neighbours(model_class, tuples):
    model = make(model_class)
    images = tf.constant(tuples(5, model.k))
    scores = model.score(images)
    assert scores.shape == [5] and scores.dtype == tf.float32
    np.testing.assert_allclose(model.score(images[2:3]), scores[2:3], rtol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"training_identities": 1}, "training_identities=1, d_i=2"),
        ({"d_i": 0}, "d_i=0"),
        ({"d_o": 0}, "d_o=0"),
        ({"r1": -1.0}, "r1=-1.0"),
        ({"recognise_o": -1.0}, "recognise_o=-1.0"),
        ({"norm": "layer"}, "norm='layer'"),
        ({"told": "faces"}, "told='faces'"),
        ({"identifier": "oracle"}, r"one of \['encoder', 'table'\].*identifier='oracle'"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ConditionalGAN(**{**TINY, **arguments})


def test_tuples_without_identity_are_refused(tuples):
    model = make(ACDCGAN)
    images, expected = tf.constant(tuples(3, 1)), r"the fields \('images', 'identity'\).*Received: "
    with pytest.raises(ValueError, match=expected + ".*Tensor"):
        model.train_step(images)
    with pytest.raises(ValueError, match=expected + r"\['images'\]"):
        model.train_step({"images": images})
    with pytest.raises(ValueError, match=r"\[batch, 1, 8, 8, 3\]"):
        model.train_step(fields(tuples(3, 2), (0, 1, 2)))
    assert model.completed_steps == 0
