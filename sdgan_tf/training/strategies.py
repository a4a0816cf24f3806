"""On which devices a model is trained: one, several of a machine, or those of several machines; and whether XLA compiles
its step for them.
"""

from __future__ import annotations

import json
import os

import tensorflow as tf

CHOICES = ("one", "mirrored", "multiworker", "tpu")
JIT = ("auto", "on", "off")
TF_CONFIG_HELP = (
    'TF_CONFIG lists the workers and says which of them this is: {"cluster": {"worker": ["HOST:PORT", ...]}, "task": '
    '{"type": "worker", "index": 0}}'
)


def make(name: str, replicas: int = 0) -> tf.distribute.Strategy:
    """The strategy to make a model under, in its `scope()`; to be made before TensorFlow is used for anything else.

    Args:
        name: `"one"` for one device; `"mirrored"` for a replica of the model on each GPU of this machine; `"multiworker"`
            for one on each device of all workers that the environment variable TF_CONFIG lists, as Kubeflow, Vertex AI
            and SageMaker set it; `"tpu"` for one on each core of the TPU that the environment variable TPU_NAME names,
            by default the one of this machine. The last has never been run on a TPU.
        replicas: of `"mirrored"`: on how many GPUs, or, where there are none, on how many parts of the processor, which
            is of use to try it; 0 for all GPUs.

    Raises:
        ValueError: there is no such strategy, there are fewer GPUs, or TF_CONFIG is missing or damaged.
        RuntimeError: the workers did not come together, or there is no TPU.
    """
    if name not in CHOICES or replicas < 0 or (replicas and name != "mirrored"):
        raise ValueError(
            f"A strategy is one of {', '.join(CHOICES)}, and replicas=, 0 or more, goes with mirrored. "
            f"Received: strategy={name!r}, replicas={replicas}"
        )
    if name == "one":
        return tf.distribute.get_strategy()
    if name == "mirrored":
        return tf.distribute.MirroredStrategy(_devices(replicas) if replicas else None)
    if name == "tpu":
        return _tpu(os.environ.get("TPU_NAME") or "local")
    own = _own_address(os.environ.get("TF_CONFIG"))
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except tf.errors.OpError as error:
        raise RuntimeError(
            f"The workers did not come together: {error.message.rstrip('.')}. This one is {own}: is its port free, and were all workers "
            "of TF_CONFIG started?"
        ) from error


def check_batch(strategy: tf.distribute.Strategy, batch_size: int) -> None:
    """Raises a `ValueError` unless replicas can share a batch."""
    if batch_size % strategy.num_replicas_in_sync:
        raise ValueError(
            f"The batch is shared by {strategy.num_replicas_in_sync} replicas and must divide by that. "
            f"Received: batch_size={batch_size}"
        )


def compiles(asked: str, strategy: tf.distribute.Strategy) -> tuple[bool, str]:
    """Whether XLA compiles the train step, and why.

    Args:
        asked: one of `JIT`; `"auto"` for where it is the faster one.
        strategy: that the model is made under.

    Raises:
        ValueError: it is asked for on several replicas, which cannot meet inside of what XLA compiles; or is not wanted on
            a TPU, which takes nothing else.
    """
    on_tpu = isinstance(strategy, tf.distribute.TPUStrategy)
    several = strategy.num_replicas_in_sync > 1 and not on_tpu
    if asked not in JIT or (asked == "on" and several) or (asked == "off" and on_tpu):
        raise ValueError(
            f"Whether XLA compiles is one of {JIT}. It compiles the step of one replica only, and TPUs take no other. "
            f"Received: jit={asked!r} on {strategy.num_replicas_in_sync} replicas"
        )
    if on_tpu:
        return True, "a TPU takes no other step"
    if asked != "auto":
        return asked == "on", "as asked"
    if several:
        return False, "there are several replicas"
    if any(tf.config.list_physical_devices(kind) for kind in ("GPU", "TPU")):
        return True, "there is a GPU or TPU"
    return False, "it is several times slower on a processor"


def _tpu(name: str) -> tf.distribute.Strategy:
    """A replica on each core of a TPU."""
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(name)
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
        return tf.distribute.TPUStrategy(resolver)
    # The last where the name leads to no machine.
    except (ValueError, tf.errors.OpError, OSError) as error:
        raise RuntimeError(
            f"There is no TPU: {str(error).partition('. ')[0].rstrip('.')}. Train on a machine that has one, name one by TPU_NAME, or "
            f"choose another strategy. Received: strategy='tpu', TPU_NAME = {name!r}"
        ) from error


def _devices(replicas: int) -> list[str]:
    gpus = tf.config.list_physical_devices("GPU")
    if gpus and replicas > len(gpus):
        raise ValueError(f"This machine has {len(gpus)} GPUs. Received: replicas={replicas}")
    if gpus:
        return [f"GPU:{number}" for number in range(replicas)]
    parts = [tf.config.LogicalDeviceConfiguration()] * replicas
    cpu = tf.config.list_physical_devices("CPU")[0]
    if len(tf.config.get_logical_device_configuration(cpu) or ()) != replicas:
        tf.config.set_logical_device_configuration(cpu, parts)
    return [f"CPU:{number}" for number in range(replicas)]


def _own_address(config: str | None) -> str:
    """Where this worker listens."""
    try:
        content = json.loads(config or "")
        jobs, task = content["cluster"], content["task"]
        own = jobs[task["type"]][int(task["index"])]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise ValueError(
            f"{TF_CONFIG_HELP}. Received: TF_CONFIG = {config!r} ({type(error).__name__}: {error})"
        ) from error
    foreign = sorted(set(jobs) - {"chief", "worker"})
    if foreign:
        raise ValueError(
            f"{TF_CONFIG_HELP}; or a chief and workers. Received: {', '.join(foreign)}"
        )
    return own
