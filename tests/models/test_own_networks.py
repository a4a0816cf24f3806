"""Ready Keras models in place of the networks that come along: built in every way that Keras knows."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers

from sdgan_tf import register, registry
from sdgan_tf.models import SDBEGAN, SDGAN
from sdgan_tf.networks import SiameseDiscriminator
from tests.models.model_case import array, arrays, assert_equal, descending

SIZE = {"image_size": 8, "d_i": 2, "d_o": 3}
K, EDGE, CODE = 2, (8, 8, 3), 5


@registry.serializable
class Scale(layers.Layer):
    """A factor for each channel, drawn at random."""

    def build(self, input_shape):
        self.kernel_initializer = keras.initializers.RandomUniform(0.5, 1.5)
        self.kernel = self.add_weight(
            name="kernel", shape=(input_shape[-1],), initializer=self.kernel_initializer
        )
        self.built = True

    def call(self, inputs):
        return inputs * tf.cast(self.kernel, inputs.dtype)


@registry.serializable
class Block(layers.Layer):
    """Layers within a layer, which call their variables alike."""

    def __init__(self, units=4, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.first, self.second, self.scale = layers.Dense(units), layers.Dense(units), Scale()

    def build(self, input_shape):
        self.first.build(input_shape)
        self.second.build((None, self.units))
        self.scale.build((None, self.units))
        self.built = True

    def call(self, inputs):
        return self.scale(self.second(tf.nn.relu(self.first(inputs))))

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@register("generator", "tests_nested")
class NestedGenerator(keras.Model):
    """A model within it, a layer of layers, batch norm, and a variable of its own."""

    def __init__(self, units=4, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.block, self.norm = Block(units), layers.BatchNormalization()
        self.finish = keras.Sequential([layers.Dense(8 * 8 * 3), layers.Reshape(EDGE)])

    def build(self, input_shape=None):
        if not self.built:
            self.offset = self.add_weight(name="offset", shape=(self.units,), initializer="zeros")
            self.built = True
            self(tf.zeros([1, CODE]))

    def call(self, codes, training=False):
        rows = self.norm(self.block(codes), training=training) + self.offset
        return tf.tanh(self.finish(rows))

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@register("discriminator", "tests_flat")
class FlatDiscriminator(keras.Model):
    """No groups, no `training`, no methods beside `call`: the least there is."""

    def __init__(self, units=4, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.block, self.finish = Block(units), layers.Dense(1)

    def call(self, tuples):
        return self.finish(self.block(tf.reshape(tuples, [-1, 2 * 8 * 8 * 3])))[:, 0]

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@register("discriminator", "tests_siamese")
class OwnSiamese(SiameseDiscriminator):
    """Sees each image by itself, without batch norm, and so ignores `groups` and `track`."""

    k = 2

    def __init__(self, units=4, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.look, self.finish = layers.Dense(units), layers.Dense(1)

    def features(self, images, training=False, groups=1, track=True):
        return self.look(tf.reshape(images, [-1, 8 * 8 * 3]))

    def compare(self, features, training=False, groups=1, track=True):
        return self.finish(tf.abs(features[:, 0] - features[:, 1]))[:, 0]

    @property
    def clippable(self):
        return [self.look.kernel]

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def sequential_generator(**options):
    return keras.Sequential(
        [
            keras.Input([CODE]),
            layers.Dense(4 * 4 * 4),
            layers.BatchNormalization(),
            layers.Reshape([4, 4, 4]),
            layers.UpSampling2D(),
            layers.Conv2D(3, 3, padding="same", activation="tanh", **options),
        ]
    )


def sequential_discriminator():
    return keras.Sequential(
        [
            keras.Input([K, *EDGE]),
            layers.Flatten(),
            layers.Dense(4, activation="relu"),
            layers.Dense(1),
            layers.Reshape([]),
        ]
    )


def functional_generator():
    codes = keras.Input([CODE])
    images = layers.Reshape(EDGE)(layers.Dense(8 * 8 * 3, activation="tanh")(codes))
    return keras.Model(codes, images)


def functional_discriminator():
    tuples = keras.Input([K, *EDGE])
    shared = keras.Sequential([layers.Flatten(), layers.Dense(4), layers.BatchNormalization()])
    towers = [shared(tuples[:, place]) for place in range(K)]
    score = layers.Dense(1)(layers.Subtract()(towers))
    return keras.Model(tuples, layers.Reshape([])(score))


def autoencoder(*more):
    """Return a network that rebuilds tuples, for SD-BEGAN."""
    inner = [layers.Flatten(), layers.Dense(4), *more, layers.Dense(K * 8 * 8 * 3)]
    return keras.Sequential([keras.Input([K, *EDGE]), *inner, layers.Reshape([K, *EDGE])])


@register("discriminator", "tests_autoencoder")
class OwnAutoencoder(keras.Model):
    """Rebuilds tuples."""

    def __init__(self, units=4, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.block, self.finish = Block(units), layers.Dense(K * 8 * 8 * 3)

    def call(self, tuples, training=False):
        flat = tf.reshape(tuples, [-1, K * 8 * 8 * 3])
        return tf.reshape(self.finish(self.block(flat)), [-1, K, *EDGE])

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def functional_autoencoder():
    tuples = keras.Input([K, *EDGE])
    rebuilt = layers.Dense(K * 8 * 8 * 3)(layers.Dense(4)(layers.Flatten()(tuples)))
    return keras.Model(tuples, layers.Reshape([K, *EDGE])(rebuilt))


PAIRS = {
    "sdgan-sequential": (SDGAN, sequential_generator, sequential_discriminator),
    "sdgan-functional": (SDGAN, functional_generator, functional_discriminator),
    "sdgan-subclassed": (SDGAN, NestedGenerator, FlatDiscriminator),
    "sdgan-siamese": (SDGAN, sequential_generator, OwnSiamese),
    "sdbegan-sequential": (SDBEGAN, sequential_generator, autoencoder),
    "sdbegan-functional": (SDBEGAN, functional_generator, functional_autoencoder),
    "sdbegan-subclassed": (SDBEGAN, NestedGenerator, OwnAutoencoder),
}


def make(model_class, generator, discriminator, **options):
    """Return a compiled model of ready networks."""
    made = model_class(generator(), discriminator(), **{**SIZE, **options})
    made.compile(run_eagerly=True, **descending(0.1))
    return made


def differ(one, other):
    return {name for name in one if not np.array_equal(one[name], other[name])}


@pytest.mark.parametrize("parts", PAIRS.values(), ids=PAIRS)
def test_ready_networks_train_and_are_saved(parts, tuples, tmp_path):
    keras.utils.set_random_seed(1)
    model = make(*parts, ema=0.9)
    first, images = arrays(model), tf.constant(tuples())
    # Whatever they held before.
    keras.utils.set_random_seed(2)
    assert_equal(arrays(make(*parts, ema=0.9)), first)
    for name, value in arrays(model, "averaged_generator").items():
        np.testing.assert_array_equal(value, first[name[len("averaged_") :]])

    history = model.fit(
        tf.data.Dataset.from_tensors(images).repeat(), steps_per_epoch=2, verbose=0
    ).history
    assert np.all(np.isfinite([history[name] for name in model.LOGS]))
    trained = arrays(model)
    for network in ("generator", "discriminator", "averaged_generator"):
        kernels = {name for name in first if name.startswith(network) and "kernel" in name}
        assert differ({name: first[name] for name in kernels}, trained), network
    assert model.generate(2, 3).shape == (2, 3, *EDGE)
    assert model.score(tuples()).shape == [4]

    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded.generator) is type(model.generator)
    assert_equal(arrays(loaded, *model.networks), arrays(model, *model.networks))
    for each in (model, loaded):
        each.train_step(images)
    assert_equal(arrays(loaded, *model.networks), arrays(model, *model.networks))
    np.testing.assert_array_equal(loaded.generate(1, 2), model.generate(1, 2))


def test_every_variable_of_nested_layers_has_a_name_and_a_seed():
    keras.utils.set_random_seed(1)
    model = make(SDGAN, NestedGenerator, FlatDiscriminator, ema=0.9)
    state = model.state()
    owned = {id(variable): name for name, variable in state.items()}
    assert len(owned) == len(state)
    for network in model.networks.values():
        assert {id(variable) for variable in network.variables} <= set(owned)
    names = [name for name in state if name.startswith("generator/")]
    # Two layers and a scale in the block, a norm, a layer of the model within, and its own.
    assert len(names) == 5 + 4 + 2 + 1 and "generator/offset" in names

    keras.utils.set_random_seed(2)
    assert_equal(arrays(make(SDGAN, NestedGenerator, FlatDiscriminator, ema=0.9)), arrays(model))
    other = arrays(
        make(SDGAN, NestedGenerator, FlatDiscriminator, ema=0.9, seed=1), *model.networks
    )
    drawn = {name for name in other if "kernel" in name}
    assert differ(other, arrays(model)) == drawn
    kernels = [value.ravel()[:4] for name, value in other.items() if name in drawn]
    assert len(np.unique(np.round(kernels, 5), axis=0)) == len(
        [name for name in drawn if not name.startswith("averaged_")]
    ), "no two start alike but a network and its average"


def test_what_is_frozen_keeps_what_it_has_learned(tuples, tmp_path):
    learned = sequential_discriminator()
    learned.set_weights([value + 0.5 for value in learned.get_weights()])
    frozen, free = (layer for layer in learned.layers if isinstance(layer, layers.Dense))
    frozen.trainable = False
    kept, drawn = array(frozen.kernel), array(free.kernel)
    model = make(SDGAN, sequential_generator, lambda: learned)
    assert not np.any(np.isclose(free.kernel, drawn))
    model.train_step(tf.constant(tuples()))
    np.testing.assert_array_equal(frozen.kernel, kept)
    assert model.parameters()["discriminator"] == 4 + 1
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert_equal(arrays(loaded, "discriminator"), arrays(model, "discriminator"))
    for each in (model, loaded):
        each.train_step(tf.constant(tuples()))
    assert_equal(arrays(loaded, "discriminator"), arrays(model, "discriminator"))


def test_a_frozen_network_keeps_all():
    learned = NestedGenerator()
    learned.build()
    learned.set_weights([value + 0.5 for value in learned.get_weights()])
    learned.trainable = False
    before = [array(variable) for variable in learned.variables]
    model = SDGAN(learned, sequential_discriminator(), **SIZE)
    for variable, value in zip(model.generator.variables, before):
        np.testing.assert_array_equal(variable, value)


def test_a_network_without_groups_is_asked_once_for_each_kind_of_tuples(monkeypatch, tuples):
    model = make(SDGAN, NestedGenerator, FlatDiscriminator, mixed=0.5)
    seen, call = [], model.discriminator.call

    def noted(tuples):
        seen.append(np.asarray(tuples))
        return call(tuples)

    monkeypatch.setattr(model.discriminator, "call", noted)
    model.train_step(tf.constant(tuples()))
    # Real, fake and mixed for itself, fake for the generator; each with statistics of its own.
    assert [part.shape for part in seen] == [(4, K, *EDGE)] * 4
    np.testing.assert_allclose(seen[0], tuples() / 127.5 - 1, atol=1e-6)
    np.testing.assert_array_equal(seen[2][:, 0], seen[0][:, 0])
    np.testing.assert_array_equal(seen[2][:, 1], np.roll(seen[0][:, 1], 1, axis=0))


def test_a_siamese_network_sees_each_image_once(monkeypatch, tuples):
    model = make(SDGAN, sequential_generator, OwnSiamese, mixed=0.5)
    seen, features = [], model.discriminator.features

    def noted(images, *options):
        seen.append(len(images))
        return features(images, *options)

    monkeypatch.setattr(model.discriminator, "features", noted)
    model.train_step(tf.constant(tuples()))
    # Real and fake images for the discriminator, fake ones for the generator.
    assert seen == [2 * 4 * K, 4 * K]


def test_wgan_clips_what_a_network_names(tuples):
    model = make(SDGAN, sequential_generator, OwnSiamese, objective="wgan")
    model.train_step(tf.constant(tuples()))
    assert np.abs(array(model.discriminator.look.kernel)).max() == np.float32(0.01)
    assert np.abs(array(model.discriminator.finish.kernel)).max() > 0.02
    with pytest.raises(ValueError, match="`clippable`.*Received: FlatDiscriminator without any"):
        make(SDGAN, sequential_generator, FlatDiscriminator, objective="wgan")


def test_an_autoencoder_may_have_batch_norm(tuples):
    """Real and fake tuples meet in its statistics, so one backward pass would not give both gradients."""
    images = tf.constant(tuples())
    models = [
        make(SDBEGAN, functional_generator, lambda: autoencoder(layers.BatchNormalization()))
        for _ in range(2)
    ]
    for model in models:
        model.k_t.assign(1e-3)
    model, by_hand = models
    real = by_hand.checked_tuples(images)
    before = [array(variable) for variable in by_hand.generator.variables]
    codes = by_hand.draw(4, "codes")
    with tf.GradientTape() as tape:
        fake = by_hand.as_tuples(by_hand.generator(codes, training=True))
        batch = tf.concat([fake, real], 0)
        error = tf.abs(by_hand.discriminator(batch, training=True) - batch)
        loss = tf.reduce_mean(error[:4])
    expected = by_hand.gradients("g", tape, loss)
    model.train_step(images)
    for variable, old, gradient in zip(model.generator.variables, before, expected):
        np.testing.assert_allclose(variable, old - 0.1 * gradient, rtol=1e-3, atol=1e-6)


# --- what does not fit


@pytest.mark.parametrize(
    ("generator", "discriminator", "message"),
    [
        (
            lambda: keras.Sequential([keras.Input([4]), layers.Dense(192), layers.Reshape(EDGE)]),
            sequential_discriminator,
            r"The generator takes codes \[n, 5\]. Received: Sequential, ",
        ),
        (
            lambda: keras.Sequential([keras.Input([5]), layers.Dense(192)]),
            sequential_discriminator,
            r"codes \[n, 5\] and gives float32 \[n, 8, 8, 3\]. "
            r"Received: Sequential, which gives float32 \(2, 192\) for n=2",
        ),
        (
            sequential_generator,
            lambda: keras.Sequential([keras.Input(EDGE), layers.Flatten(), layers.Dense(1)]),
            r"The discriminator takes tuples \[n, 2, 8, 8, 3\]. Received: Sequential, ",
        ),
        (
            sequential_generator,
            lambda: keras.Sequential([keras.Input([K, *EDGE]), layers.Flatten(), layers.Dense(1)]),
            r"tuples \[n, 2, 8, 8, 3\] and gives float32 \[n\]. "
            r"Received: Sequential, which gives float32 \(2, 1\) for n=2",
        ),
        (
            lambda: sequential_generator(dtype="mixed_bfloat16"),
            sequential_discriminator,
            r"gives float32 .* which gives bfloat16 \(2, 8, 8, 3\)",
        ),
    ],
)
def test_networks_that_do_not_fit_are_refused(generator, discriminator, message):
    with pytest.raises(ValueError, match=message):
        SDGAN(generator(), discriminator(), **SIZE)


def test_an_autoencoder_rebuilds_tuples():
    with pytest.raises(
        ValueError, match=r"gives float32 \[n, 2, 8, 8, 3\].*gives float32 \(2,\) for"
    ):
        SDBEGAN(functional_generator(), sequential_discriminator(), **SIZE)


def test_ready_networks_take_no_options():
    with pytest.raises(ValueError, match="Received: dim=4, norm='none'"):
        SDGAN(sequential_generator(), sequential_discriminator(), **SIZE, dim=4, norm="none")
    # Those of the network that is named by its name.
    model = SDGAN(sequential_generator(), "dcgan", **SIZE, dim=4, norm="none")
    assert model.discriminator.dim == 4


def test_a_network_that_cannot_be_made_again_says_so(tmp_path):
    class Nameless(FlatDiscriminator):
        def get_config(self):
            raise NotImplementedError("no config")

    model = SDGAN(sequential_generator(), Nameless(), **SIZE)
    with pytest.raises(ValueError, match="Nameless cannot be saved: write a get_config"):
        model.get_config()


def test_registered_networks_are_known_by_name(tuples):
    model = SDGAN("tests_nested", "tests_flat", **SIZE, units=3)
    assert type(model.generator) is NestedGenerator and model.discriminator.units == 3
    assert model.get_config()["units"] == 3
    model.compile(run_eagerly=True)
    model.train_step(tf.constant(tuples()))
    assert type(SDGAN.from_config(model.get_config()).generator) is NestedGenerator
