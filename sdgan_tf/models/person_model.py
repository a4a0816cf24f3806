"""What both stages of Disentangled Person Image Generation share: networks, data, codes of real people (arXiv
1712.02621).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow import keras

from sdgan_tf.latents import LatentSpace, Part
from sdgan_tf.models.base import AdversarialModel
from sdgan_tf.networks import siamese
from sdgan_tf.networks.person import REGION
from sdgan_tf.networks.pose import KEYPOINTS, POSE, decode_pose, encode_pose


class PersonModel(AdversarialModel):
    """Base of the models that take images of people apart into appearance, background and pose.

    An encoder makes a code of the regions around a person's keypoints and one of the background; a generator paints
    both in the pose that the keypoints tell; a discriminator looks at single images. The identity code is of what a
    person looks like, the observation code of background and pose.

    A subclass writes, beside what every model does, `encode`, `pose_codes` and `poses_of`: what its own codes of real
    people and of their poses are.

    Args:
        pose: width of the part `"pose"`, the last one of the code.
        networks: generator, encoder and discriminator, by these names: registered names or Keras models.
        training_identities: how many identities the model is trained on.
        regions: how many regions of a person are encoded.
        background: width of the code of the background, 0 for none.
        discriminator_dim: channels of the discriminator's first map.
        image_size: edge of the images in pixels.
        channels: 1 or 3.
        options: of the named networks.
        **kwargs: for `AdversarialModel`.
    """

    FIELDS = ("images", "identity", "keypoints", "mask")
    KINDS = ("generator", "discriminator", "encoder")

    def __init__(
        self,
        pose: int,
        networks: Mapping[str, str | keras.Model],
        training_identities: int,
        regions: int,
        background: int,
        discriminator_dim: int,
        image_size: int,
        channels: int,
        options: Mapping[str, Any],
        **kwargs: Any,
    ):
        behind = [Part("background", background, "normal")] if background else []
        latents = LatentSpace(
            [Part("foreground", REGION * regions, "normal")],
            [*behind, Part("pose", pose, "normal")],
        )
        super().__init__(latents, image_size, channels, k=1, options=options, **kwargs)
        if training_identities < 1:
            raise ValueError(
                "This model is trained on one identity or more. "
                f"Received: training_identities={training_identities}"
            )
        self.training_identities = training_identities
        self.regions = regions
        self.background = background
        self.discriminator_dim = discriminator_dim
        size = (image_size, image_size, channels)
        seen = REGION * regions + background
        known = {"training_identities": training_identities, "image_size": image_size}
        known |= {"channels": channels, "code_size": seen + POSE, "k": 1}
        known |= {"regions": regions, "background": background}
        self.add("generator", networks["generator"], {"codes": [seen + POSE]}, size, **known)
        self.add(
            "encoder",
            networks["encoder"],
            {"images": size, "masks": (image_size, image_size, 1), "poses": [POSE], "labels": []},
            [seen],
            {"labels": "int64"},
            **known,
        )
        # A single image needs nothing that joins several.
        known |= {"join_layers": 0, "dim": discriminator_dim}
        self.add("discriminator", networks["discriminator"], {"tuples": [1, *size]}, [], **known)

    def fields(self, batch: Any) -> dict[str, tf.Tensor]:
        fields = super().fields(batch)
        edge = self.image_size
        expected = {"keypoints": (1, KEYPOINTS, 3), "mask": (1, edge, edge, 1)}
        received = {name: tuple(fields[name].shape[1:]) for name in expected}
        if received != expected:
            raise ValueError(
                "Keypoints and masks belong to single images of this model's size: open the data with keypoints=True, "
                f"image_size={edge} and take tuples of k=1. Expected: {expected} after the batch. Received: {received}"
            )
        return fields

    # --- codes of real people

    def encode(
        self, images: np.ndarray, keypoints: np.ndarray, masks: np.ndarray, batch_size: int = 64
    ) -> tuple[np.ndarray, np.ndarray]:
        """The codes of real images, of which `generate` makes every person in every pose before every background.

        Args:
            images: uint8 [n, h, w, c], 0 to 255.
            keypoints: float32 [n, 18, 3]: row, column and visible, in pixels.
            masks: uint8 [n, h, w, 1], 1 where the person is.
            batch_size: images encoded at a time.

        Returns:
            Identity codes float32 [n, d_i], what the people look like, and observation codes float32 [n, d_o], the
            backgrounds and the poses.
        """
        raise NotImplementedError

    def pose_codes(self, keypoints: np.ndarray) -> np.ndarray:
        """Keypoints float32 [n, 18, 3] in pixels to the pose part of observation codes, float32 [n, width]."""
        raise NotImplementedError

    def poses_of(self, codes: tf.Tensor) -> tf.Tensor:
        """The pose part of observation codes, float32 [n, width], to poses float32 [n, 54] in [-1, 1]."""
        raise NotImplementedError

    def poses(self, keypoints: np.ndarray | tf.Tensor) -> tf.Tensor:
        """Keypoints float32 [n, 18, 3] in pixels to poses as the networks take them, float32 [n, 54] in [-1, 1]."""
        return encode_pose(tf.convert_to_tensor(keypoints), self.image_size, self.image_size)

    def codes_of(
        self, images: np.ndarray, keypoints: np.ndarray, masks: np.ndarray, batch_size: int = 64
    ) -> np.ndarray:
        """What the encoder makes of real images, whose arguments are those of `encode`: float32 [n, 32 * regions + background]."""
        codes = []
        for start in range(0, len(images), batch_size):
            part = slice(start, start + batch_size)
            real = self.checked_tuples(images[part, np.newaxis])[:, 0]
            labels = tf.zeros([len(real)], tf.int64)
            shown = tf.cast(masks[part], tf.float32), self.poses(keypoints[part])
            codes.append(self.best("encoder")(real, *shown, labels).numpy())
        return np.concatenate(codes)

    def in_poses(self, observation: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
        """The backgrounds of observation codes with other poses.

        Args:
            observation: float32 [n, d_o].
            keypoints: float32 [n, 18, 3]: row, column and visible, in pixels.

        Returns:
            float32 [n, d_o].

        Raises:
            ValueError: there are not as many codes as poses.
        """
        if len(observation) != len(keypoints):
            raise ValueError(
                "Each observation code is put into a pose of its own: ask for as many of them as there are poses. "
                f"Received: {len(observation)} codes, {len(keypoints)} poses"
            )
        return np.concatenate(
            [observation[:, : self._pose_start], self.pose_codes(keypoints)], axis=-1
        )

    def keypoints_of(self, observation: np.ndarray) -> np.ndarray:
        """The keypoints of observation codes: float32 [n, d_o] to float32 [n, 18, 3] in pixels."""
        poses = self.poses_of(tf.constant(observation)[:, self._pose_start :])
        return decode_pose(poses, self.image_size, self.image_size).numpy()

    @property
    def _pose_start(self) -> int:
        """Where the pose begins in an observation code."""
        return self.latents.slices["pose"].start - self.latents.d_i

    def score(self, images: tf.Tensor) -> tf.Tensor:
        return siamese.score(self.discriminator, self.checked_tuples(images), training=False)
