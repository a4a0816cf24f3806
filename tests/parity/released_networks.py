"""The networks of the authors' released code, written anew from its facts with the layers of
TensorFlow 1.

The names of the variables say what they are for, such as `G/up_0/kernel`; `adapter.py` finds the
same names in a model.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

v1 = tf.compat.v1


def _init() -> Any:
    limit = 0.02 * np.sqrt(3.0)
    return v1.random_uniform_initializer(-limit, limit)


def _flat(maps: tf.Tensor) -> tf.Tensor:
    return tf.reshape(maps, [-1, int(np.prod(maps.shape[1:]))])


def _norm(maps: tf.Tensor, name: str, training: bool = True) -> tf.Tensor:
    return v1.layers.batch_normalization(maps, training=training, name=name)


def dcgan_generator(codes, image_size: int, channels: int, dim: int, training: bool) -> tf.Tensor:
    """Return images [n, image_size, image_size, channels]."""
    levels = int(np.log2(image_size // 4))
    options = {"padding": "same", "kernel_initializer": _init()}
    with v1.variable_scope("G", reuse=v1.AUTO_REUSE):
        width = dim * 2 ** (levels - 1)
        maps = v1.layers.dense(codes, 16 * width, kernel_initializer=_init(), name="start")
        maps = tf.reshape(maps, [-1, 4, 4, width])
        for level in range(levels):
            maps = tf.nn.relu(_norm(maps, f"norm_{level}", training))
            width = channels if level == levels - 1 else width // 2
            maps = v1.layers.conv2d_transpose(maps, width, 5, 2, name=f"up_{level}", **options)
        return tf.tanh(maps)


def dcgan_discriminator(tuples, dim: int, siamese: bool, collate: str, normed: bool) -> tf.Tensor:
    """Return scores [n] of tuples [n, k, h, w, c], each position by a call of its own."""
    levels = int(np.log2(int(tuples.shape[2]) // 4))
    options = {"padding": "same", "kernel_initializer": _init()}
    count = 0

    def activate(maps: tf.Tensor, name: str) -> tf.Tensor:
        maps = _norm(maps, name) if normed else maps
        return tf.maximum(0.2 * maps, maps)

    images = tf.unstack(tuples, axis=1)
    towers = []
    for maps in images if siamese else [tf.concat(images, axis=3)]:
        for level in range(levels):
            maps = v1.layers.conv2d(maps, dim * 2**level, 5, 2, name=f"down_{level}", **options)
            maps = activate(maps, f"norm_{level - 1}") if level else tf.maximum(0.2 * maps, maps)
        towers.append(maps)

    kind, count = collate.split("_")
    width = dim * 2 ** (levels - 1)
    maps = tf.concat(towers, axis=3)
    if kind == "dense":
        maps = tf.concat([_flat(part) for part in towers], axis=1)
    for layer in range(int(count)):
        if kind == "dense":
            maps = v1.layers.dense(
                maps, int(maps.shape[1]) // 2, kernel_initializer=_init(), name=f"joint_{layer}"
            )
        else:
            # The second has half the width of the first.
            maps = v1.layers.conv2d(maps, width // 2**layer, 3, 2, name=f"joint_{layer}", **options)
        maps = activate(maps, f"norm_{levels - 1 + layer}")
    flat = _flat(maps)
    return v1.layers.dense(flat, 1, kernel_initializer=_init(), name="score")[:, 0]


def _elu(maps: tf.Tensor, width: int, name: str, stride: int = 1) -> tf.Tensor:
    glorot = v1.glorot_uniform_initializer()
    return v1.layers.conv2d(
        maps, width, 3, stride, "same", activation=tf.nn.elu, kernel_initializer=glorot, name=name
    )


def began_generator(codes, image_size: int, channels: int, dim: int, name: str = "") -> tf.Tensor:
    """Return images [n, image_size, image_size, channels], linear at the end."""
    glorot = v1.glorot_uniform_initializer()
    maps = v1.layers.dense(codes, 64 * dim, kernel_initializer=glorot, name=f"{name}start")
    maps = tf.reshape(maps, [-1, 8, 8, dim])
    levels = int(np.log2(image_size // 8))
    for level in range(levels + 1):
        for index in (2 * level, 2 * level + 1):
            maps = _elu(maps, dim, f"{name}conv_{index}")
        if level < levels:
            size = 2 * int(maps.shape[1])
            maps = v1.image.resize_nearest_neighbor(maps, [size, size])
    return v1.layers.conv2d(
        maps, channels, 3, 1, "same", kernel_initializer=glorot, name=f"{name}finish"
    )


def began_autoencoder(tuples, dim: int, d_i: int, d_o: int) -> tf.Tensor:
    """Return rebuilt tuples [n, k, h, w, c]."""
    _, k, size, _, channels = (int(length or 0) for length in tuples.shape)
    glorot = v1.glorot_uniform_initializer()

    def dense(rows: tf.Tensor, width: int, name: str) -> tf.Tensor:
        return v1.layers.dense(rows, width, kernel_initializer=glorot, name=name)

    levels = int(np.log2(size // 8))
    codes = []
    for maps in tf.unstack(tuples, axis=1):
        maps, index = _elu(maps, dim, "encoder_0"), 0
        for level in range(1, levels + 2):
            for stride in (1, 1, 2)[: 3 if level <= levels else 2]:
                index += 1
                maps = _elu(maps, level * dim, f"encoder_{index}", stride)
        codes.append(dense(_flat(maps), d_i + d_o, "encoded"))
    joint = dense(tf.concat(codes, 1), d_i + k * d_o, "joint")
    rebuilt = [
        began_generator(dense(joint, d_i + d_o, f"part_{place}"), size, channels, dim, "decoder_")
        for place in range(k)
    ]
    return tf.stack(rebuilt, axis=1)
