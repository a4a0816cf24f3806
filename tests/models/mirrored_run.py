"""Trains on two logical CPU devices and prints what came of it: started by test_mirrored.py.

A process of its own, because devices can only be split before TensorFlow uses them.
"""

from __future__ import annotations

import json

import numpy as np
import tensorflow as tf
from tensorflow import keras

from sdgan_tf.models import SDBEGAN, SDGAN, EncoderPairGAN
from sdgan_tf.networks.layers import BatchNorm

DEVICES = ["CPU:0", "CPU:1"]


def main():
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    strategy = tf.distribute.MirroredStrategy(DEVICES)
    with strategy.scope():
        model = SDGAN(image_size=8, dim=2, d_i=2, d_o=3, r1=0.1, r1_every=2, lecam=0.1, ema=0.9)
        model.compile(
            d_optimizer=keras.optimizers.SGD(1.0), g_optimizer=keras.optimizers.Adam(1e-3)
        )
    before = model.generator.get_weights()

    results = {"replicas": strategy.num_replicas_in_sync}
    codes = strategy.run(lambda: model.draw(2, "codes"))
    results["codes"] = [
        value.numpy().tolist() for value in strategy.experimental_local_results(codes)
    ]
    results["change"] = change(strategy, model)

    data = tf.data.Dataset.from_tensors(images(model, 4)).repeat()
    history = model.fit(data, steps_per_epoch=2, epochs=1, verbose=0).history
    results["sdgan"] = {"losses": [value for name in model.LOGS for value in history[name]]}
    results["sdgan"] |= state(strategy, model)
    after = model.generator.get_weights()
    results["moved"] = any(not np.array_equal(a, b) for a, b in zip(after, before))
    results["critic"] = critic(strategy)
    results["norm"] = norm(strategy)
    with strategy.scope():
        model = SDBEGAN(image_size=16, dim=1, d_i=2, d_o=3, rate_k=0.1)
        model.compile()
    results["sdbegan"] = balance(strategy, model)
    with strategy.scope():
        model = EncoderPairGAN(4, image_size=8, dim=1, d_i=2, d_o=3)
        model.compile()
    batch = {"images": images(model, 4), "identity": tf.range(4, dtype=tf.int64)}
    data = tf.data.Dataset.from_tensors(batch)
    history = model.fit(data.repeat(), steps_per_epoch=2, epochs=1, verbose=0).history
    results["conditional"] = {"losses": [value for name in model.LOGS for value in history[name]]}
    results["conditional"] |= state(strategy, model)
    print(json.dumps(results))


def critic(strategy):
    """Train four steps, of which the second and the fourth move the generator; return at which steps it moved."""
    with strategy.scope():
        model = SDGAN(image_size=8, dim=1, d_i=2, d_o=3, norm="none", critic_steps=2, ema=0.9)
        model.compile()

    def trained():
        return [tf.convert_to_tensor(v).numpy() for v in model.generator.trainable_variables]

    weights = [trained()]
    note = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: weights.append(trained())
    )
    data = tf.data.Dataset.from_tensors(images(model, 4)).repeat()
    history = model.fit(data, steps_per_epoch=4, verbose=0, callbacks=[note]).history
    moved = [
        any(not np.array_equal(a, b) for a, b in zip(*pair)) for pair in zip(weights, weights[1:])
    ]
    losses = {name: history[name][-1] for name in ("d_loss", "g_loss")}
    return {"moved": moved, "losses": list(losses.values()), **state(strategy, model)}


def norm(strategy):
    """Normalise a batch on both replicas together; return how far that is from one device's, the gradient and the moving
    statistics included."""
    batch = tf.constant(np.random.default_rng(0).normal(3.0, 2.0, (8, 4, 4, 3)).astype(np.float32))
    alone = BatchNorm()
    with strategy.scope():
        shared = BatchNorm(synchronised=True)
        shared.build([None, 4, 4, 3])
    alone.build([None, 4, 4, 3])

    def gradient(layer, values):
        with tf.GradientTape() as tape:
            tape.watch(values)
            out = layer(values, training=True)
            loss = tf.reduce_sum(out**3)
        return out, tape.gradient(loss, values)

    def step():
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        return gradient(shared, tf.split(batch, 2)[replica])

    parts = strategy.run(step)
    joined = [tf.concat(strategy.experimental_local_results(part), 0) for part in parts]
    moved = [tf.convert_to_tensor(v) for v in (shared.moving_mean, shared.moving_variance)]
    expected = [*gradient(alone, batch), alone.moving_mean, alone.moving_variance]
    pairs = zip([*joined, *moved], map(tf.convert_to_tensor, expected))
    return [float(tf.reduce_max(tf.abs(a - b))) for a, b in pairs]


def images(model, count):
    """Return real tuples that suit `model`: uint8."""
    shape = (count, model.k, model.image_size, model.image_size, model.channels)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def state(strategy, model):
    """Return how far the model is, and the names of what differs between the replicas."""
    return {
        "step": model.completed_steps,
        # The running means of the log are each replica's own until they are read.
        "apart": [
            name
            for name, value in model.state().items()
            if not name.startswith("log/") and not in_sync(strategy, value)
        ],
    }


def balance(strategy, model):
    """Train two steps of SD-BEGAN without a graph; return what each replica logged."""
    real = tf.constant(images(model, 4))
    # The steps' own values, not running means.
    model.end_step = lambda logs: (model.step.assign_add(1), logs)[1]

    def step():
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        return model.train_step(tf.split(real, 2)[replica])

    losses, balances = [], []
    for _ in range(2):
        logs = strategy.run(step)
        values = {
            name: [float(value) for value in strategy.experimental_local_results(logs[name])]
            for name in model.LOGS
        }
        losses += sum(values.values(), [])
        balances.append(values["balance"])
    k_t = float(tf.convert_to_tensor(model.k_t))
    return {"losses": losses, "balances": balances, "k_t": k_t, **state(strategy, model)}


def change(strategy, model):
    """How the first weights of the discriminator move for gradients of 1 and 3 on the two replicas."""
    kernel = model.discriminator.trainable_variables[0]
    before = tf.convert_to_tensor(kernel).numpy()

    def update():
        gradient = 1.0 + 2.0 * tf.cast(
            tf.distribute.get_replica_context().replica_id_in_sync_group, tf.float32
        )
        with tf.GradientTape() as tape:
            loss = gradient * tf.reduce_sum(tf.convert_to_tensor(kernel))
        model.move("d", tape, loss)

    strategy.run(tf.function(update))
    return (tf.convert_to_tensor(kernel).numpy() - before).ravel().tolist()


def in_sync(strategy, variable):
    """Whether a mirrored variable has the same value on both devices."""
    values = strategy.experimental_local_results(getattr(variable, "value", variable))
    return all(np.array_equal(values[0], value) for value in values[1:])


if __name__ == "__main__":
    main()
