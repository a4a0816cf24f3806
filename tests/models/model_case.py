"""What every model of the family promises, as one battery of tests.

A test file subclasses it, names the model and a tiny configuration, and gets all tests below:

    class TestSDGAN(ModelCase):
        model_class = SDGAN
        arguments = {"image_size": 8, "dim": 2, "d_i": 2, "d_o": 2}

Tracing a step takes seconds, a tiny step without a graph a fraction of one: only one test traces.
"""

from __future__ import annotations

import csv
import inspect
import json

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from sdgan_tf import keras_compat
from sdgan_tf.models import variables
from sdgan_tf.networks.identity import CodeTable
from sdgan_tf.randomness import stateless_seed

# Networks within networks.
PARTS = ("decoder", "encoder")


def array(variable):
    """Return a copy of a variable's value."""
    return np.array(tf.convert_to_tensor(variable).numpy())


def arrays(model, *parts):
    """Return the model's state by name as arrays, or those parts of it whose names start so."""
    return {
        name: array(value)
        for name, value in model.state().items()
        if not parts or name.startswith(parts)
    }


def learned(model):
    """Return as arrays what a file of weights holds: all but optimizers and running means."""
    kept = arrays(model)
    return {
        name: value
        for name, value in kept.items()
        if "_optimizer/" not in name and not name.startswith("log/")
    }


def saved(model):
    """Return as arrays what a `.keras` file holds: all but running means."""
    return {name: value for name, value in arrays(model).items() if not name.startswith("log/")}


def assert_equal(state, expected, **tolerance):
    """Compare two results of `arrays`, exactly where no tolerance is given."""
    assert state.keys() == expected.keys()
    for name, value in expected.items():
        if tolerance:
            np.testing.assert_allclose(state[name], value, err_msg=name, **tolerance)
        else:
            np.testing.assert_array_equal(state[name], value, err_msg=name)


def differ(state, expected):
    """Whether anything differs between two results of `arrays`."""
    return any(not np.array_equal(state[name], expected[name]) for name in expected)


def weights(network):
    """Return copies of the trained weights."""
    return [array(variable) for variable in network.trainable_variables]


def gradients(loss, network):
    """Return the gradients of `loss()` in the trained weights of `network`, as arrays."""
    values = [keras_compat.tensor_of(variable) for variable in network.trainable_variables]
    with tf.GradientTape() as tape:
        total = loss()
    unconnected = tf.UnconnectedGradients.ZERO
    return [
        tf.convert_to_tensor(gradient).numpy()
        for gradient in tape.gradient(total, values, unconnected_gradients=unconnected)
    ]


def descending(rate=1.0, players=("d", "g")):
    """Return the optimizers that move weights by `rate` times the gradient, as `compile` takes them."""
    return {f"{player}_optimizer": keras.optimizers.SGD(rate) for player in players}


def networks_of_ours(model):
    """Return the networks that come along, and so follow the model's precision."""
    networks = model.networks.values()
    return [net for net in networks if type(net).__module__.startswith("sdgan_tf.")]


def inner_layers(model):
    """Return all trained layers of those networks that come along, but the last ones and the tables of codes: those are
    float32 under every policy.
    """
    owners = [*networks_of_ours(model)]
    layers = [layer for net in owners for _, layer in variables.leaves(net)]
    owners += [getattr(net, part) for net in owners for part in PARTS if hasattr(net, part)]
    last = {id(net.finish) for net in owners if hasattr(net, "finish")}
    return [
        layer
        for layer in layers
        if layer.trainable_variables and id(layer) not in last and not isinstance(layer, CodeTable)
    ]


class StopAt(keras.callbacks.Callback):
    """Ends training at the end of its n-th step as Ctrl-C does."""

    def __init__(self, steps):
        super().__init__()
        self.left = steps

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


class ModelCase:
    """The battery. `make` makes all models, `batch` all batches."""

    model_class: type
    arguments: dict
    # The logged number that the stock callbacks watch.
    monitor = "g_loss"
    # Arguments by which the generator is moved in each step.
    each_step: dict = {}
    # In the graph that is compared with single steps. One battery asks for several: each is traced anew, which takes long.
    steps_per_execution = 1

    # --- how models are made and trained here

    @classmethod
    def make(cls, moved=False, compile_options=None, **changes):
        """Return a compiled model of changed arguments; `moved` gives it other weights than its seed's."""
        model = cls.model_class(**{**cls.arguments, **changes})
        for network in model.networks.values() if moved else ():
            network.set_weights([value + 0.1 for value in network.get_weights()])
        model.compile(**{"run_eagerly": True, **(compile_options or {})})
        return model

    @staticmethod
    def batch(model, count=3):
        """Return a batch of real tuples that suit `model`, as data sets give it."""
        shape = (count, model.k, model.image_size, model.image_size, model.channels)
        images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        identities = getattr(model, "training_identities", count)
        who = tf.range(count, dtype=tf.int64) % identities
        return {"images": tf.constant(images), "identity": who}

    @classmethod
    def fit(cls, model, steps=2, epochs=1, **options):
        """Train on the same batch over and over; return what each epoch logged."""
        data = tf.data.Dataset.from_tensors(cls.batch(model)).repeat()
        history = model.fit(data, steps_per_epoch=steps, epochs=epochs, verbose=0, **options)
        return history.history

    @pytest.fixture(scope="class")
    @classmethod
    def trained(cls):
        """Return a model after two steps, for tests that leave it as it is."""
        model = cls.make()
        cls.fit(model)
        return model

    # --- training

    def test_a_graph_does_what_is_done_step_by_step(self):
        # Adam would make a whole step of the rounding of a gradient of almost nothing.
        players = self.model_class(**self.arguments).players
        plain = descending(0.05, players)
        asked = {"run_eagerly": False, "steps_per_execution": self.steps_per_execution}
        options = {**asked, **descending(0.05, players)}
        graph, single = (self.make(compile_options=each) for each in (options, plain))
        logs, expected = self.fit(graph), self.fit(single)
        assert int(graph.step) == int(single.step) == 2
        assert set(logs) == set(expected) == {tracker.name for tracker in graph.metrics}
        assert set(graph.LOGS) <= set(logs)
        for name in logs:
            np.testing.assert_allclose(logs[name], expected[name], rtol=1e-3, atol=1e-5)
        assert_equal(learned(graph), learned(single), rtol=1e-3, atol=1e-5)

    @pytest.mark.once
    def test_steps_that_do_not_divide_into_executions_are_refused(self):
        model = self.make(compile_options={"steps_per_execution": 2})
        with pytest.raises(ValueError, match="steps_per_epoch=3, steps_per_execution=2"):
            self.fit(model, steps=3)
        assert model.completed_steps == 0

    def test_a_model_that_was_not_compiled_says_so(self):
        model = self.model_class(**self.arguments)
        with pytest.raises((ValueError, RuntimeError), match=r"compile"):
            self.fit(model)

    def test_a_step_moves_what_is_trained(self, trained):
        assert int(trained.step) == trained.completed_steps == 2
        assert type(trained.completed_steps) is int
        fresh = self.make()
        for player in trained.players:
            pairs = zip(fresh.moved_by(player), trained.moved_by(player))
            moved = [not np.array_equal(array(before), array(after)) for before, after in pairs]
            # A bias in front of batch norm has a gradient of 0.
            assert sum(moved) > len(moved) / 2, player

    def test_equal_seeds_give_equal_weights(self, trained):
        again = self.make()
        self.fit(again)
        assert_equal(arrays(again), arrays(trained))

    def test_the_seed_decides_the_first_weights(self):
        def kernels(state):
            drawn = {name: value for name, value in state.items() if name.endswith("kernel")}
            # An encoder's memory is empty at first.
            return {name: value for name, value in drawn.items() if np.any(value)}

        keras.utils.set_random_seed(1)
        first = learned(self.make(seed=3))
        # Neither the global generator nor what was made before has a say.
        keras.utils.set_random_seed(2)
        assert_equal(learned(self.make(seed=3)), first)
        other = kernels(learned(self.make(seed=4)))
        assert len(other) >= 5
        for name, value in kernels(first).items():
            # Among thousands of numbers two may meet by chance.
            assert np.sum(np.isclose(value, other[name], rtol=1e-6, atol=0)) <= 1, name
        # Nor do two layers of equal shape start alike, averaged networks apart.
        drawn = [
            value.ravel()
            for name, value in kernels(first).items()
            if not name.startswith("averaged_")
        ]
        for index, one in enumerate(drawn):
            for two in drawn[:index]:
                size = min(one.size, two.size)
                assert np.mean(one[:size] == two[:size]) < 0.5

    @pytest.mark.once
    def test_seed_and_step_decide_the_codes_and_weights_do_not(self, trained):
        same, other = self.make(moved=True), self.make(seed=trained.seed + 1)
        codes = trained.draw(2, "codes").numpy()
        assert codes.shape == (2 * trained.k, trained.latents.size)
        assert not np.array_equal(same.draw(2, "codes"), codes)
        same.step.assign(2)
        np.testing.assert_array_equal(same.draw(2, "codes"), codes)
        other.step.assign(2)
        assert not np.array_equal(other.draw(2, "codes"), codes)
        # As do the rollbacks; without any, it is the seed itself.
        same.rollback.assign(1)
        assert not np.array_equal(same.draw(2, "codes"), codes)
        first = stateless_seed(trained.seed, "codes", 2, 0)
        np.testing.assert_array_equal(trained.random("codes"), first)

    def test_losses_weights_and_images_stay_float32_under_half_precision(self):
        for precision in ("mixed_bfloat16", "mixed_float16"):
            model = self.make(precision=precision)
            for network in networks_of_ours(model):
                assert keras_compat.policy_name(network) == precision
            half = precision.split("_")[1]
            assert {layer.compute_dtype for layer in inner_layers(model)} == {half}
            logs = model.train_step(self.batch(model))
            assert {value.dtype for value in logs.values()} == {tf.float32}
            assert np.all(np.isfinite(list(logs.values())))
            kinds = {array.dtype.name for array in arrays(model).values()}
            assert kinds <= {"float32", "int64", "int32", "bool"}
            assert all(np.all(np.isfinite(array)) for array in arrays(model).values())
            assert model(tf.zeros([1, model.latents.size])).dtype == tf.float32

    def test_inner_layers_compute_in_float32_without_a_policy(self, trained):
        assert len(inner_layers(trained)) >= 4
        assert {layer.compute_dtype for layer in inner_layers(trained)} == {"float32"}

    # --- averaged networks

    @pytest.mark.once
    def test_averaged_networks_follow_and_copy_batch_norm(self):
        model = self.make(ema=0.9, **self.each_step)
        averages = [name for name in model.networks if name.startswith("averaged_")]
        assert "averaged_generator" in averages
        trained = {
            id(variable)
            for name in averages
            for variable in model.networks[name].trainable_variables
        }
        trained = {name for name, value in model.state().items() if id(value) in trained}
        before = arrays(model, "averaged_")
        model.train_step(self.batch(model))
        after, current = arrays(model, "averaged_"), arrays(model)
        assert before.keys() == after.keys()
        # In the first step the decay is 2 / 11.
        for name, value in after.items():
            now = current[name[len("averaged_") :]]
            moved = before[name] + 9 / 11 * (now - before[name])
            # What is not trained, such as batch norm's moving statistics, is copied.
            expected = moved if name in trained else now
            np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-7, err_msg=name)
        model.step.assign(10**6)
        before = arrays(model, "averaged_")
        model.train_step(self.batch(model))
        current = arrays(model)
        for name, value in arrays(model, "averaged_").items():
            if name in trained:
                now = current[name[len("averaged_") :]]
                np.testing.assert_allclose(value, 0.9 * before[name] + 0.1 * now, atol=1e-6)

    def test_images_come_from_the_averaged_generator(self):
        model = self.make(ema=0.9)
        assert model.best("generator") is model.averaged_generator
        first = model.generate(1, 2)
        np.testing.assert_array_equal(first, self.make().generate(1, 2))
        model.generator.set_weights([value + 1 for value in model.generator.get_weights()])
        np.testing.assert_array_equal(model.generate(1, 2), first)
        model.averaged_generator.set_weights(model.generator.get_weights())
        assert not np.array_equal(model.generate(1, 2), first)
        plain = self.make(ema=0.0)
        assert plain.best("generator") is plain.generator
        assert not any(name.startswith("averaged_") for name in plain.networks)

    # --- saving

    def test_config_round_trip(self, trained):
        config = json.loads(json.dumps(trained.get_config()))
        signature = inspect.signature(self.model_class.__init__).parameters.values()
        named = {item.name for item in signature if item.kind == item.POSITIONAL_OR_KEYWORD}
        assert set(config) == named - {"self"} | set(trained.options)
        assert set(trained.options) == set(self.arguments) - named
        assert {name: config[name] for name in self.arguments} == self.arguments
        assert self.model_class.from_config(config).get_config() == trained.get_config()

    def test_state_names_every_variable(self, trained):
        state = trained.state()
        variables = {id(value) for value in state.values()}
        assert len(variables) == len(state)
        for network in trained.networks.values():
            assert {id(variable) for variable in network.variables} <= variables
        for optimizer in trained.optimizers.values():
            assert {id(v) for v in keras_compat.optimizer_variables(optimizer)} <= variables
        assert {id(trained.step), id(trained.rollback)} <= variables

    def test_a_saved_model_goes_on_as_if_it_had_never_stopped(self, trained, tmp_path):
        model = self.make()
        self.fit(model, steps=1)
        model.save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras")
        assert type(loaded) is self.model_class
        assert_equal(saved(loaded), saved(model))
        self.fit(loaded, steps=1)
        assert_equal(saved(loaded), saved(trained))

    def test_weights_round_trip(self, trained, tmp_path):
        trained.save_weights(tmp_path / "model.weights.h5")
        fresh = self.make(moved=True)
        assert differ(learned(fresh), learned(trained))
        fresh.load_weights(tmp_path / "model.weights.h5")
        assert_equal(learned(fresh), learned(trained))

    # --- stock callbacks

    def test_stock_callbacks_work(self, tmp_path):
        model = self.make()
        callbacks = [
            keras.callbacks.ModelCheckpoint(
                str(tmp_path / "{epoch}.weights.h5"), save_weights_only=True
            ),
            keras.callbacks.CSVLogger(str(tmp_path / "log.csv")),
            # Nothing improves by so much: training ends after the second epoch.
            keras.callbacks.EarlyStopping(self.monitor, mode="min", min_delta=1e9, patience=0),
            keras.callbacks.TensorBoard(str(tmp_path / "board"), histogram_freq=1),
        ]
        logs = self.fit(model, steps=1, epochs=3, callbacks=callbacks)
        assert int(model.step) == 2
        with open(tmp_path / "log.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        logged = [float(row[self.monitor]) for row in rows]
        assert logged == pytest.approx(logs[self.monitor])
        assert {"epoch", *model.LOGS} <= set(rows[0])
        assert list((tmp_path / "board").rglob("events.out.tfevents.*"))

        restored = self.make(moved=True)
        restored.load_weights(tmp_path / "2.weights.h5")
        assert_equal(learned(restored), learned(model))

    def test_backup_and_restore_continues_a_stopped_run(self, trained, tmp_path):
        def run(model, *more):
            backup = keras.callbacks.BackupAndRestore(str(tmp_path / "backup"))
            self.fit(model, steps=1, epochs=2, callbacks=[backup, *more])

        with pytest.raises(KeyboardInterrupt):
            run(self.make(), StopAt(2))
        model = self.make(moved=True)
        run(model)
        assert int(model.step) == 2
        assert_equal(saved(model), saved(trained))

    # --- images

    @pytest.fixture(scope="class")
    @classmethod
    def vivid(cls):
        """Return a model whose images differ by more than a shade of grey."""
        model = cls.make()
        kernel = model.best("generator").finish.kernel
        kernel.assign(10 * array(kernel))
        return model

    @pytest.mark.once
    def test_generate_gives_an_image_to_each_pair_of_seeds(self, vivid):
        edge = (vivid.image_size, vivid.image_size, vivid.channels)
        grid = vivid.generate(3, 2, seed=1)
        assert grid.shape == (3, 2, *edge) and grid.dtype == np.uint8
        assert len(np.unique(grid.reshape(6, -1), axis=0)) == 6
        # Neither the number of neighbours nor how many are made at a time changes an image.
        np.testing.assert_array_equal(vivid.generate(2, 3, seed=1)[:, :2], grid[:2])
        np.testing.assert_array_equal(vivid.generate(3, 2, seed=1, batch_size=1), grid)
        assert not np.array_equal(vivid.generate(3, 2, seed=2), grid)

    @pytest.mark.once
    def test_generate_takes_the_seeds_themselves(self, vivid):
        grid = vivid.generate([5, 9, 5], [7])
        np.testing.assert_array_equal(grid[0], grid[2])
        assert not np.array_equal(grid[0], grid[1])
        np.testing.assert_array_equal(vivid.generate([9], [3, 7])[0, 1], grid[1, 0])
        first = vivid.generate(2, 1, seed=0)
        np.testing.assert_array_equal(vivid.generate(np.array([0, 1]), [0]), first)

    def test_rows_share_the_identity_and_columns_the_observation(self, vivid):
        codes = vivid.latents.grid(vivid.identity_codes([4, 6]), vivid.observation_codes([1, 2, 3]))
        grid = vivid.generate([4, 6], [1, 2, 3])
        for row in range(2):
            for column in range(3):
                image = vivid.render(codes[row, column][tf.newaxis])[0]
                np.testing.assert_array_equal(grid[row, column], image)
