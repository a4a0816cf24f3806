"""The one place that knows which Keras is installed: Keras 3 (current stack) or Keras 2.15 (addons
stack).

Everything else uses `from tensorflow import keras` and calls the functions below where the two
differ.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import itertools
import re
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow import keras

KERAS_VERSION = importlib.metadata.version("keras")
KERAS_3 = int(KERAS_VERSION.split(".")[0]) >= 3

# TensorFlow's name for Keras 3 does not lead to it.
_SAVING = importlib.import_module("keras").saving

# Where the configuration of a network names its layers.
_NAMING = ("name", "inbound_nodes", "keras_history", "input_layers", "output_layers")

# What `compile` takes from a model that keeps optimizers of its own.
NO_OPTIMIZER = None if KERAS_3 else ()


def addons() -> ModuleType:
    """The module `tensorflow_addons`, or an error that names the extra to install."""
    try:
        return importlib.import_module("tensorflow_addons")
    except ImportError as error:
        raise ImportError(
            "This option uses TensorFlow Addons, which is not installed. It needs Python 3.9 - 3.11 and "
            "TensorFlow 2.15: install it by `pip install -e '.[addons]'`. "
            f"Received: Keras {KERAS_VERSION} with TensorFlow {tf.__version__}"
        ) from error


def add_weight(
    layer: keras.layers.Layer,
    name: str,
    shape: Sequence[int],
    initializer: Any = "zeros",
    *,
    dtype: str = "float32",
    trainable: bool = True,
    autocast: bool = True,
    first_replica: bool = False,
) -> Any:
    """`layer.add_weight` with the same meaning on both stacks.

    Args:
        layer: the owner.
        name: name of the variable.
        shape: its shape.
        initializer: a Keras initializer.
        dtype: of the stored variable; float32 under every precision policy.
        trainable: whether gradients reach it. Others are averaged over replicas when assigned.
        autocast: whether reading inside `call` gives the layer's compute dtype.
        first_replica: whether what the first replica assigns goes for all, in place of the average.
    """
    aggregation = "only_first_replica" if first_replica else "mean"
    if KERAS_3:
        options = {"autocast": autocast, "aggregation": aggregation}
    else:
        aggregation = tf.VariableAggregation[aggregation.upper()]
        options = {"experimental_autocast": autocast, "aggregation": aggregation}
    return layer.add_weight(
        name=name,
        shape=tuple(shape),
        initializer=initializer,
        dtype=dtype,
        trainable=trainable,
        **options,
    )


def add_counter(layer: keras.layers.Layer, name: str) -> Any:
    """A saved int64 scalar that starts at 0 and is the same on every replica."""
    first = "only_first_replica" if KERAS_3 else tf.VariableAggregation.ONLY_FIRST_REPLICA
    return layer.add_weight(
        name=name, shape=(), initializer="zeros", dtype="int64", trainable=False, aggregation=first
    )


def serialize(network: keras.Model) -> dict[str, Any]:
    """A network as plain JSON: its registered class and its `get_config`, the same in every process."""
    try:
        config = _SAVING.serialize_keras_object(network)
    except (NotImplementedError, TypeError) as error:
        raise ValueError(
            f"{type(network).__name__} cannot be saved: write a get_config that gives all arguments of its "
            f"constructor. Received: {error}"
        ) from error
    if not KERAS_3 and policy_name(network) != "float32":
        # Keras 2 leaves that of a subclassed model out.
        config["config"].setdefault("dtype", policy_name(network))
    return _renumbered(config)


def _renumbered(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration of a network with its layers numbered from it alone: Keras counts those of the process."""
    names: dict[str, str] = {}

    def note(part: Any) -> None:
        if isinstance(part, dict):
            own = part.get("config")
            # A policy has a name, too, but that is what it is.
            if isinstance(own, dict) and not str(part.get("class_name")).endswith("Policy"):
                name = own.get("name")
                if isinstance(name, str) and name not in names:
                    stem = re.sub(r"_\d+(?=(_input)?$)", "", name)
                    numbered = (f"{stem}_{number}" for number in itertools.count(1))
                    candidates = itertools.chain([stem], numbered)
                    names[name] = next(new for new in candidates if new not in names.values())
        for value in part.values() if isinstance(part, dict) else part:
            if isinstance(value, (dict, list, tuple)):
                note(value)

    def rename(part: Any, key: str = "") -> Any:
        if isinstance(part, dict):
            return {key: rename(value, key) for key, value in part.items()}
        if isinstance(part, (list, tuple)):
            return [rename(value, key) for value in part]
        return names.get(part, part) if isinstance(part, str) and key in _NAMING else part

    note(config)
    return rename(config)


def deserialize(config: dict[str, Any]) -> keras.Model:
    """A new network of what `serialize` gave. Code in the configuration, such as a Lambda layer, is refused."""
    try:
        return _SAVING.deserialize_keras_object(config, safe_mode=True)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"The network {config.get('class_name')!r} cannot be made again: import the module that defines it and put "
            f"@sd.register above its class. Received: {error}"
        ) from error


def take_logs_as_they_are(model: keras.Model) -> None:
    """Tells Keras that the numbers of a train step, which are metrics' results, are means over all replicas."""
    if not KERAS_3:
        # On Keras 2 each replica has the result of all of them; left to itself it adds these up.
        model.distribute_reduction_method = "first"


def set_steps_per_execution(model: keras.Model, steps: int) -> None:
    """Sets what `compile` does by its argument of this name."""
    if KERAS_3:
        model.steps_per_execution = steps
    else:
        model._steps_per_execution.assign(steps)
    # Traced for the old number.
    model.train_function = None


def result(metric: keras.metrics.Metric) -> tf.Tensor:
    """The number of a metric in a train step, in the shape in which Keras takes the mean over replicas."""
    strategy = tf.distribute.get_strategy()
    # Of what several processes give, Keras 3 takes the mean over an axis.
    processes = isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
    return tf.reshape(metric.result(), [1]) if KERAS_3 and processes else metric.result()


def copy_of(network: keras.Model) -> keras.Model:
    """A new network of the same architecture, not built yet."""
    return deserialize(serialize(network))


def policy(name: str) -> Any:
    """The dtype policy called `name`: `float32`, `mixed_bfloat16` or `mixed_float16`."""
    return keras.DTypePolicy(name) if KERAS_3 else keras.mixed_precision.Policy(name)


def policy_name(layer: keras.layers.Layer) -> str:
    """The name of the dtype policy that `layer` was made with."""
    return (layer.dtype_policy if KERAS_3 else layer._dtype_policy).name


def with_loss_scaling(optimizer: Any) -> Any:
    """`optimizer` wrapped for float16, whose gradients underflow without a loss scale."""
    module = keras.optimizers if KERAS_3 else keras.mixed_precision
    if isinstance(optimizer, module.LossScaleOptimizer):
        return optimizer
    return module.LossScaleOptimizer(optimizer)


def loss_scale(optimizer: Any) -> tf.Tensor:
    """By what losses are multiplied now, float32: 1 unless by `with_loss_scaling`; halved by an update that overflows."""
    name = "dynamic_scale" if KERAS_3 else "loss_scale"
    return tf.convert_to_tensor(getattr(optimizer, name, 1.0))


def gradients(
    optimizer: Any, tape: tf.GradientTape, loss: tf.Tensor, variables: Sequence[Any]
) -> list[tf.Tensor]:
    """Gradients of `loss`, still multiplied by the optimizer's loss scale where it has one."""
    values = [tensor_of(variable) for variable in variables]
    scale = getattr(optimizer, "scale_loss" if KERAS_3 else "get_scaled_loss", None)
    if scale is not None:
        with tape:
            loss = scale(loss)
    scaled = tape.gradient(loss, values, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    # Dense: of rows that a step leaves out, each stack's optimizers think differently.
    return [tf.convert_to_tensor(gradient) for gradient in scaled]


def tensor_of(variable: Any) -> tf.Variable:
    """The TensorFlow variable behind a Keras variable."""
    return variable.value if KERAS_3 and hasattr(variable, "value") else variable


def value_of(variable: Any) -> np.ndarray:
    """A copy of a variable's value, which several replicas may hold; where each holds a part of a sum, the sum."""
    return np.array(tf.convert_to_tensor(variable).numpy())


def apply_gradients(optimizer: Any, scaled: Sequence[tf.Tensor], variables: Sequence[Any]) -> None:
    """Applies what `gradients` returned, undoing the loss scale."""
    if KERAS_3:
        optimizer.apply(scaled, variables)
        return
    if hasattr(optimizer, "get_unscaled_gradients"):
        scaled = optimizer.get_unscaled_gradients(scaled)
    optimizer.apply_gradients(zip(scaled, variables))


def optimizer_variables(optimizer: Any) -> list[Any]:
    """All state of `optimizer`: iteration count, learning rate, moments, loss scale."""
    variables = optimizer.variables
    state = list(variables() if callable(variables) else variables)
    if not KERAS_3:
        # Keras 2 leaves these out; they change while training, by a callback and by overflows.
        rate = getattr(optimizer, "inner_optimizer", optimizer)._learning_rate
        scale = getattr(optimizer, "_loss_scale", None)
        state += [rate] if isinstance(rate, tf.Variable) else []
        state += list(scale._weights.values()) if hasattr(scale, "_weights") else []
    return state
