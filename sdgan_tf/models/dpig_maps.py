"""Disentangled Person Image Generation, stage II: new people, backgrounds and poses, from noise (arXiv 1712.02621)."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import tensorflow as tf
from tensorflow import keras

from sdgan_tf import keras_compat, objectives
from sdgan_tf.models import on_replicas, penalties
from sdgan_tf.models.inverse import nearest_noise
from sdgan_tf.models.person_model import PersonModel
from sdgan_tf.models.pose_training import train_pose_autoencoder
from sdgan_tf.networks.dense import DenseCritic, PoseDecoder, ResidualDense
from sdgan_tf.networks.pose import POSE
from sdgan_tf.registry import check_choices, register


@register("model", "dpig_maps")
class DPIGMaps(PersonModel):
    """Imagines people: maps noise to the codes of appearance, background and pose that a `DPIG` has learned.

    A run goes on from one of `DPIG` (`bin/train --start=RUN`), whose encoder, generator and discriminator stay as they
    are. Each of the three codes has a map and a critic of its own, a Wasserstein GAN of vectors that knows nothing of
    the other two. Poses are mapped by way of a shorter code, that of an autoencoder of poses, which `prepare` trains
    before the first step.

    What a person looks like is the identity code, background and pose together are the observation code, all of them
    noise: seeds, grids, interpolation and exports are those of any GAN.

    Args:
        training_identities: how many identities the model is trained on.
        generator: as of the `DPIG` that it goes on from, and so the next ones.
        discriminator: see there. It only scores images here.
        encoder: see there.
        image_size: edge of the images in pixels.
        channels: 1 or 3.
        regions: how many regions of a person are encoded, by 32 numbers each.
        background: width of the code of the background, 0 for none.
        discriminator_dim: channels of the discriminator's first map; `dim` is that of the other networks of images.
        objective: `"wgan"`, whose critics' weights are clipped, as released; or `"wgan-gp"`.
        critic_steps: updates of the critics for one of the maps; 0 for the customary number of the objective.
        map_dim: width of the maps, the critics and the pose autoencoder; the background's map is half as wide.
        pose_code: width of the short code of a pose.
        pose_steps: how many steps the pose autoencoder is trained for.
        spread: standard deviation of the noise that the maps are given.
        ema: later addition: decay of the averaged maps, such as .999, 0 for none.
        precision: `"float32"`, `"mixed_bfloat16"` or `"mixed_float16"`; losses and images are float32 always.
        seed: of everything random in training.
        **options: of the named networks, such as `dim=16` or `levels=4`.

    Example:

    >>> model = DPIGMaps(4, image_size=32, dim=4, levels=3, tower_levels=3, crop_size=16, regions=4, map_dim=8)
    >>> model.compile()
    >>> model.generate(identities=2, observations=3).shape
    (2, 3, 32, 32, 3)
    """

    LOGS = ("d_loss", "g_loss")
    needs_start = True
    inherits = ("generator", "encoder", "discriminator")

    def __init__(
        self,
        training_identities: int,
        generator: str | keras.Model = "person",
        discriminator: str | keras.Model = "dcgan",
        encoder: str | keras.Model = "person",
        image_size: int = 64,
        channels: int = 3,
        regions: int = 7,
        background: int = 128,
        discriminator_dim: int = 64,
        objective: Literal["wgan", "wgan-gp"] = "wgan",
        critic_steps: int = 0,
        map_dim: int = 512,
        pose_code: int = 32,
        pose_steps: int = 60_000,
        spread: float = 0.2,
        ema: float = 0.0,
        precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32",
        seed: int = 0,
        name: str | None = None,
        **options: Any,
    ):
        super().__init__(
            pose_code,
            {"generator": generator, "encoder": encoder, "discriminator": discriminator},
            training_identities,
            regions,
            background,
            discriminator_dim,
            image_size,
            channels,
            options,
            ema=ema,
            precision=precision,
            seed=seed,
            name=name,
        )
        self.objective = objective
        self.critic_steps = critic_steps
        self.map_dim = map_dim
        self.pose_code = pose_code
        self.pose_steps = pose_steps
        self.spread = spread
        check_choices(self)
        if critic_steps < 0 or pose_steps < 1 or map_dim < 2 or spread <= 0:
            raise ValueError(
                "Critic steps are 0 or more, a pose autoencoder is trained for a step or more, maps are 2 or more wide, and "
                f"noise has a spread. Received: critic_steps={critic_steps}, pose_steps={pose_steps}, "
                f"map_dim={map_dim}, spread={spread}"
            )
        self._objective = objectives.get(objective)
        # What differs between the columns of a grid, one at a time.
        self.varied = tuple(part.name for part in self.latents.parts["observation"])
        self._add_maps()

    def _add_maps(self) -> None:
        policy, dim = {"dtype": keras_compat.policy(self.precision)}, self.map_dim
        widths = {part: place.stop - place.start for part, place in self.latents.slices.items()}
        for part, width in widths.items():
            inner = dim // 2 if part == "background" else dim
            rows = {"codes": [width]}
            self.add(f"{part}_map", ResidualDense(width, width, inner, **policy), rows, [width])
            self.add(f"{part}_critic", DenseCritic(width, dim, **policy), rows, [])
        code = [self.pose_code]
        encoder, decoder = (
            ResidualDense(POSE, *code, dim, **policy),
            PoseDecoder(*code, dim, **policy),
        )
        self.add("pose_encoder", encoder, {"poses": [POSE]}, code)
        self.add("pose_decoder", decoder, {"codes": code}, [POSE])
        self.await_preparation("Codes of poses come from an autoencoder")
        maps, critics = ([f"{part}_{kind}" for part in widths] for kind in ("map", "critic"))
        self.play(
            {"d": critics, "g": maps},
            averaged=("generator", "encoder", *maps),
            logs=[f"{part}_distance" for part in widths],
        )

    def default_optimizers(self) -> dict[str, Any]:
        """RMSProp with rate 2e-5 for `"wgan"`, as in the released code; the customary ones of `"wgan-gp"`, which has
        none there.
        """
        objective = self._objective
        if objective.clip:
            objective = objective._replace(optimizer=("rmsprop", 2e-5, 0.0, 0.9))
        return {player: objective.make_optimizer() for player in self.players}

    # --- before the first step

    def prepare(self, data: Any) -> None:
        """Trains the pose autoencoder on the poses of `data`, the training data, and says how well it knows them."""
        poses = self.poses(_fields(data)["keypoints"])
        train_pose_autoencoder(
            self.pose_encoder, self.pose_decoder, poses, self.pose_steps, self.seed
        )
        self.prepared.assign(1)
        points, seen = (
            tf.reshape(values, [-1, POSE // 3, 3])
            for values in (self.pose_decoder(self.pose_encoder(poses)), poses)
        )
        visible = tf.boolean_mask(points - seen, seen[..., 2] > 0)[:, :2]
        pixels = tf.reduce_mean(tf.norm(visible, axis=-1)) * (self.image_size - 1) / 2
        agreed = tf.reduce_mean(tf.cast(points[..., 2] * seen[..., 2] > 0, tf.float32))
        print(
            f"Pose autoencoder, {self.pose_steps:,} steps: visible keypoints of the training images are {pixels:.2f} pixels off "
            f"on average, {agreed:.1%} are known to be visible or not."
        )

    def annotate(self, data: Any) -> Any:
        """The training data with the codes that the frozen networks make of them, worked out once."""
        fields = _fields(data)
        print(f"Encoding {int(data.counts.sum()):,} training images.", flush=True)
        codes = self.codes_of(data.images, fields["keypoints"], fields["mask"])
        poses = self.pose_encoder(self.poses(fields["keypoints"])).numpy()
        return data.with_fields({"codes": np.concatenate([codes, poses], axis=-1)})

    # --- the step

    def train_step(self, batch: Any) -> dict[str, tf.Tensor]:
        """One update of the critics, then one of the maps if their turn has come.

        Args:
            batch: what that of a `DPIG` has, and `codes`, float32 [b, 1, d_i + d_o], if `annotate` gave them.

        Returns:
            Running means of the losses, and for each code of how far apart its critic holds real and imagined ones;
            float32 scalars.
        """
        fields = self.fields(batch)
        codes = fields["codes"][:, 0] if "codes" in fields else self._real_codes(fields)
        every = self.critic_steps or self._objective.critic_steps
        logs, means = self._update_critics(codes)
        if every == 1:
            logs["g_loss"] = self._update_maps(codes)
            return self.end_step(logs)
        turn = tf.equal((tf.convert_to_tensor(self.step) + 1) % every, 0)
        logs["g_loss"] = on_replicas.where(
            turn,
            lambda codes, _: self._update_maps(codes),
            # Of the mean scores: about what the update would have given, at no cost.
            lambda _, means: tf.reduce_sum(self._objective.generator(means)),
            *(codes, means),
        )
        return self.end_step(logs, tf.cast(turn, tf.float32), every)

    def _real_codes(self, fields: dict[str, tf.Tensor]) -> tf.Tensor:
        poses = self.poses(fields["keypoints"][:, 0])
        masks = tf.cast(fields["mask"][:, 0], tf.float32)
        codes = self.best("encoder")(fields["images"][:, 0], masks, poses, fields["identity"])
        return tf.stop_gradient(tf.concat([codes, self.pose_encoder(poses)], -1))

    def _update_critics(self, codes: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """One update of all critics; returns logged numbers, and the mean score of what each map makes."""
        objective = self._objective
        noise, logs, means = self.draw(tf.shape(codes)[0], "noise of the critics"), {}, []
        with tf.GradientTape() as tape:
            loss = tf.zeros([])
            for part, place in self.latents.slices.items():
                critic, real = getattr(self, f"{part}_critic"), codes[:, place]
                fake = tf.stop_gradient(self._map(part, noise[:, place]))
                scores = tf.split(critic(tf.concat([real, fake], 0), training=True), 2)
                loss += objective.discriminator_loss(*scores)
                if objective.penalty:
                    seed = self.random(f"interpolation of the penalty of {part}")
                    loss += objective.penalty * penalties.one_centred(critic, real, fake, seed)
                of_real, of_fake = (tf.reduce_mean(score) for score in scores)
                logs[f"{part}_distance"] = of_real - of_fake
                means.append(of_fake)
        self.move("d", tape, loss)
        for variable in self.moved_by("d") if objective.clip else ():
            value = tf.convert_to_tensor(variable)
            variable.assign(tf.clip_by_value(value, -objective.clip, objective.clip))
        return {"d_loss": loss, **logs}, tf.stack(means)

    def _update_maps(self, codes: tf.Tensor) -> tf.Tensor:
        """One update of all maps; returns their loss. Of the codes only their number matters."""
        noise = self.draw(tf.shape(codes)[0], "noise of the maps")
        with tf.GradientTape() as tape:
            loss = tf.zeros([])
            for part, place in self.latents.slices.items():
                critic = getattr(self, f"{part}_critic")
                made = self._map(part, noise[:, place], training=True)
                loss += self._objective.generator_loss(critic(made, training=True))
        self.move("g", tape, loss)
        return loss

    def _map(self, part: str, noise: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Noise of a part, float32 [n, width], to codes of the same shape, by the map in training."""
        return getattr(self, f"{part}_map")(self.spread * noise, training=training)

    # --- what goes in and comes out

    def codes_from(self, part: str, noise: tf.Tensor) -> tf.Tensor:
        """Noise of a part, float32 [n, width], to the codes that stand for it, of the same shape."""
        return self.best(f"{part}_map")(self.spread * noise)

    def noise_of(self, part: str, codes: np.ndarray) -> np.ndarray:
        """The inverse of a map: the noise whose codes come nearest to given ones, see `nearest_noise`.

        Args:
            part: `"foreground"`, `"background"` or `"pose"`.
            codes: float32 [n, width].

        Returns:
            float32 [n, width], within three standard deviations.
        """
        return nearest_noise(functools.partial(self.codes_from, part), codes)

    def call(self, codes: tf.Tensor, training: bool = False) -> tf.Tensor:
        return self.best("generator")(self._mapped(codes), training=training)

    def calibration_codes(self, seeds: Sequence[int]) -> tf.Tensor:
        """What the generator takes: the codes that the maps make of noise, and poses."""
        return self._mapped(super().calibration_codes(seeds))

    def _mapped(self, codes: tf.Tensor) -> tf.Tensor:
        """Noise of all parts, float32 [n, d_i + d_o], to what the generator takes."""
        made = {
            part: self.codes_from(part, codes[:, place])
            for part, place in self.latents.slices.items()
        }
        made["pose"] = self.pose_decoder(made["pose"])
        return tf.concat([*made.values()], -1)

    def encode(
        self, images: np.ndarray, keypoints: np.ndarray, masks: np.ndarray, batch_size: int = 64
    ) -> tuple[np.ndarray, np.ndarray]:
        """As of a `DPIG`; the codes here are the noise that `noise_of` finds for what the encoder makes of the images."""
        codes = self.codes_of(images, keypoints, masks, batch_size)
        parts = [
            self.noise_of(part, codes[:, place])
            for part, place in self.latents.slices.items()
            if part != "pose"
        ]
        return parts[0], np.concatenate([*parts[1:], self.pose_codes(keypoints)], axis=-1)

    def pose_codes(self, keypoints: np.ndarray) -> np.ndarray:
        return self.noise_of("pose", self.pose_encoder(self.poses(keypoints)).numpy())

    def poses_of(self, codes: tf.Tensor) -> tf.Tensor:
        return self.pose_decoder(self.codes_from("pose", codes))


def _fields(data: Any) -> dict[str, np.ndarray]:
    """The fields of training data, with keypoints among them."""
    fields = data.fields
    if "keypoints" not in fields:
        raise ValueError(
            f"Poses come from keypoints: open the data with keypoints=True (--keypoints). Received: {data.summary()}"
        )
    return fields
