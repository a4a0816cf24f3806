"""The differences between the two Kerases, seen from the side where there are none."""

from __future__ import annotations

import importlib
import json
import sys

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from sdgan_tf import keras_compat, registry
from sdgan_tf.networks import DCGANGenerator


class Probe(keras.layers.Layer):
    """A layer with one weight of each kind, which notes the dtypes that its call sees."""

    def build(self, input_shape):
        self.cast = keras_compat.add_weight(self, "cast", [2], "ones")
        self.kept = keras_compat.add_weight(
            self, "kept", [2], "ones", trainable=False, autocast=False
        )
        self.count = keras_compat.add_counter(self, "count")
        self.built = True

    def call(self, values):
        self.seen = [tf.convert_to_tensor(each).dtype for each in (self.cast, self.kept)]
        return values


@pytest.fixture
def probe():
    """Return the layer after a call in bfloat16."""
    layer = Probe(dtype=keras_compat.policy("mixed_bfloat16"))
    layer(tf.zeros([1, 2]))
    return layer


def test_weights_are_stored_in_float32_and_read_as_asked(probe):
    assert {tf.as_dtype(variable.dtype) for variable in (probe.cast, probe.kept)} == {tf.float32}
    assert probe.seen == [tf.bfloat16, tf.float32]


def test_weights_know_whether_they_are_trained(probe):
    assert [id(each) for each in probe.trainable_weights] == [id(probe.cast)]
    assert {id(each) for each in probe.non_trainable_weights} == {id(probe.kept), id(probe.count)}


def test_counters_count_whole_numbers_beyond_float_range(probe):
    probe.count.assign(2**53 + 1)
    probe.count.assign_add(1)
    assert int(probe.count) == 2**53 + 2


@pytest.mark.parametrize("name", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_policies_by_name(name):
    layer = keras.layers.Dense(1, dtype=keras_compat.policy(name))
    assert keras_compat.policy_name(layer) == name
    assert layer.compute_dtype == name.replace("mixed_", "")


def test_registered_classes_carry_the_packages_name():
    @registry.serializable
    class Registered(keras.layers.Layer):
        """Nothing but a name."""

    assert keras.utils.get_registered_object("sdgan_tf>Registered") is Registered


# --- gradients


@pytest.fixture
def variables():
    """Return a Keras variable [1., 2.] and another that no loss reaches."""
    layer = keras.layers.Layer()
    first = keras_compat.add_weight(layer, "first", [2])
    first.assign([1.0, 2.0])
    return [first, keras_compat.add_weight(layer, "second", [3], "ones")]


def descend(optimizer, variables):
    """Apply the gradients of the sum of squares once; return what `gradients` gave."""
    optimizer.build(variables)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(tf.convert_to_tensor(variables[0])))
    scaled = keras_compat.gradients(optimizer, tape, loss, variables)
    keras_compat.apply_gradients(optimizer, scaled, variables)
    return scaled


def state_of(optimizer):
    """Return the optimizer's variables."""
    return keras_compat.optimizer_variables(optimizer)


def test_a_step_of_descent(variables):
    scaled = descend(keras.optimizers.SGD(0.25), variables)
    assert [gradient.numpy().tolist() for gradient in scaled] == [[2.0, 4.0], [0.0, 0.0, 0.0]]
    assert np.asarray(variables[0]).tolist() == [0.5, 1.0]
    assert np.asarray(variables[1]).tolist() == [1.0, 1.0, 1.0]


def test_loss_scaling_scales_gradients_and_not_steps(variables):
    optimizer = keras_compat.with_loss_scaling(keras.optimizers.SGD(0.25))
    assert keras_compat.with_loss_scaling(optimizer) is optimizer
    scaled = descend(optimizer, variables)
    assert scaled[0].numpy().min() > 1000
    np.testing.assert_allclose(np.asarray(variables[0]), [0.5, 1.0])


def test_overflowing_gradients_are_skipped_under_loss_scaling(variables):
    optimizer = keras_compat.with_loss_scaling(keras.optimizers.SGD(0.25))
    variables[0].assign([3e38, 3e38])
    descend(optimizer, variables)
    assert np.asarray(variables[0]).tolist() == [np.float32(3e38)] * 2


def test_the_state_of_an_optimizer_is_whole(variables):
    optimizer = keras.optimizers.Adam(0.01)
    optimizer.build(variables)
    before = [np.array(tf.convert_to_tensor(v).numpy()) for v in state_of(optimizer)]
    # Iterations and rate, then two moments for each variable.
    assert len(before) == 2 + 2 * 2
    shapes = sorted(array.shape for array in before)
    assert shapes == [(), (), (2,), (2,), (3,), (3,)]
    descend(optimizer, variables)
    after = state_of(optimizer)
    changed = [not np.array_equal(a, tf.convert_to_tensor(b)) for a, b in zip(before, after)]
    # The rate and the moments of the variable that no loss reaches stay.
    assert sum(changed) == 3


def test_the_state_of_an_optimizer_holds_its_rate_and_loss_scale(variables):
    optimizer = keras_compat.with_loss_scaling(keras.optimizers.Adam(0.125))
    optimizer.build(variables)
    values = [float(tf.convert_to_tensor(v)) for v in state_of(optimizer) if not len(v.shape)]
    assert 0.125 in values and 32768.0 in values


# --- extras


def test_missing_addons_name_the_extra_to_install(monkeypatch):
    def refuse(name, *args, **kwargs):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", refuse)
    with pytest.raises(ImportError, match=r"pip install -e '.\[addons\]'.*Received: Keras \d"):
        keras_compat.addons()


def test_installed_addons_are_returned(monkeypatch):
    module = object()
    monkeypatch.setitem(sys.modules, "tensorflow_addons", module)
    assert keras_compat.addons() is module


def test_a_network_is_described_alike_whatever_keras_counted_before():
    def made():
        codes = keras.Input([4])
        first = keras.layers.Dense(3)(codes)
        second = keras.layers.Dense(3, activation="softmax", name="style_2")(first)
        both = keras.layers.Softmax()(keras.layers.Add()([first, second]))
        return keras.Model(codes, both)

    made()
    keras.layers.Softmax()
    first, second = (keras_compat.serialize(made()) for _ in range(2))
    assert first == second
    text = json.dumps(first)
    assert '"dense"' in text and '"style"' in text and '"activation": "softmax"' in text
    codes = tf.random.stateless_normal([5, 4], [1, 2])
    network = made()
    copy = keras_compat.copy_of(network)
    copy.set_weights(network.get_weights())
    np.testing.assert_array_equal(copy(codes), network(codes))


def test_names_that_would_meet_stay_apart():
    layers = [keras.layers.Dense(2, name=name) for name in ("a_1_5", "a_3", "a_1", "a_2_0", "b")]
    network = keras.Sequential([keras.Input([2]), *layers])
    copy = keras_compat.copy_of(network)
    assert len({layer.name for layer in copy.layers}) == 5


@pytest.mark.parametrize("name", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_a_copy_has_the_policy_of_its_original(name):
    policy = keras_compat.policy(name)
    layer = keras.layers.Dense(2, dtype=policy)
    copy = keras_compat.copy_of(keras.Sequential([keras.Input([2]), layer]))
    assert keras_compat.policy_name(copy.layers[-1]) == name
    copy = keras_compat.copy_of(DCGANGenerator(4, 8, 1, 2, dtype=policy))
    assert {keras_compat.policy_name(part) for part in (copy, copy.start)} == {name}
    assert keras_compat.policy_name(copy.finish) == "float32"
