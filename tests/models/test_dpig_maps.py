"""Stage II of disentangled person images: the battery, its losses, what is frozen, and what noise stands for."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import sdgan_tf as sd
from sdgan_tf import training
from sdgan_tf.models import DPIG, DPIGMaps, penalties
from tests import tiny
from tests.models import test_dpig as dpig
from tests.models.model_case import ModelCase, array, arrays, descending, gradients, weights

TINY = {**dpig.TINY, "map_dim": 4, "pose_code": 3, "pose_steps": 2}
PARTS = {"foreground": slice(0, 96), "background": slice(96, 100), "pose": slice(100, 103)}
FROZEN = ("generator/", "encoder/", "discriminator/", "pose_encoder/", "pose_decoder/")


class TestDPIGMaps(ModelCase):
    """The battery, of a map's step in every second one."""

    model_class = DPIGMaps
    arguments = {**TINY, "objective": "wgan-gp", "critic_steps": 2, "background": 0, "seed": 5}
    each_step = {"critic_steps": 1}

    @classmethod
    def make(cls, *args, **kwargs):
        model = super().make(*args, **kwargs)
        model.prepared.assign(1)
        return model

    @staticmethod
    def batch(model, count=3):
        return dpig.batch(count, model.channels)

    @pytest.fixture(scope="class")
    @classmethod
    def vivid(cls):
        """Return a model whose images differ by more than a shade of grey."""
        model = cls.make()
        for name in ("foreground_map", "pose_map", "pose_decoder", "generator"):
            kernel = model.best(name).finish.kernel
            kernel.assign(10 * array(kernel))
        return model


def make(rate=0.1, **arguments):
    """Return a model with maps that are not too small, moved by `rate` times the gradient."""
    model = DPIGMaps(**{**TINY, **arguments})
    for part in PARTS:
        kernel = getattr(model, f"{part}_map").finish.kernel
        kernel.assign(5 * array(kernel))
    model.compile(run_eagerly=True, **descending(rate))
    return model


def real_codes(model):
    """Return what the frozen networks make of the batch."""
    fields = {name: values.numpy() for name, values in dpig.batch().items()}
    images, points, masks = (fields[name][:, 0] for name in ("images", "keypoints", "mask"))
    poses = model.pose_encoder(model.poses(points))
    return tf.concat([model.codes_of(images, points, masks), poses], -1)


@pytest.mark.parametrize("objective", ["wgan", "wgan-gp"])
def test_a_step_descends_what_it_says_and_moves_nothing_else(objective):
    model = make(objective=objective, critic_steps=1, spread=0.5)
    real = real_codes(model)
    noises = {name: 0.5 * model.draw(3, f"noise of the {name}") for name in ("critics", "maps")}

    def made(noise, part):
        return getattr(model, f"{part}_map")(noises[noise][:, PARTS[part]], training=True)

    def d_loss(part):
        critic, fake = getattr(model, f"{part}_critic"), made("critics", part)
        loss = tf.reduce_mean(critic(fake)) - tf.reduce_mean(critic(real[:, PARTS[part]]))
        if objective == "wgan":
            return loss
        seed = model.random(f"interpolation of the penalty of {part}")
        return loss + 10 * penalties.one_centred(critic, real[:, PARTS[part]], fake, seed)

    before = arrays(model)
    critics = {
        part: (weights(critic), gradients(lambda part=part: d_loss(part), critic))
        for part in PARTS
        for critic in [getattr(model, f"{part}_critic")]
    }
    expected = sum(float(d_loss(part)) for part in PARTS)
    logs = model.train_step(dpig.batch())
    assert float(logs["d_loss"]) == pytest.approx(expected, rel=1e-3)
    clip = 0.01 if objective == "wgan" else np.inf
    for part, (starts, steps) in critics.items():
        assert any(np.any(step) for step in steps)
        for variable, start, step in zip(
            getattr(model, f"{part}_critic").trainable_variables, starts, steps
        ):
            wanted = np.clip(start - 0.1 * step, -clip, clip)
            np.testing.assert_allclose(array(variable), wanted, rtol=1e-3, atol=1e-5)
    # The maps moved after the critics, whose scores they descend.
    after = arrays(model)
    for part in PARTS:
        network, critic = getattr(model, f"{part}_map"), getattr(model, f"{part}_critic")
        moved = weights(network)
        network.set_weights([before[name] for name in before if name.startswith(f"{part}_map/")])
        steps = gradients(
            lambda part=part, critic=critic: -tf.reduce_mean(critic(made("maps", part))), network
        )
        for value, start, step in zip(moved, weights(network), steps):
            np.testing.assert_allclose(value, start - 0.1 * step, rtol=1e-3, atol=1e-5)
    for name, value in before.items():
        if name.startswith(FROZEN):
            np.testing.assert_array_equal(after[name], value, err_msg=name)
    assert set(model.parameters()) == {f"{p}_{kind}" for p in PARTS for kind in ("map", "critic")}


def test_codes_of_the_data_are_those_that_a_step_works_out():
    people = sd.data.drawn(12, 2, 16, keypoints=True, bodies=True).split(0.2, 0.2).train
    model = make(training_identities=len(people))
    known = model.annotate(people)
    assert known.fields["codes"].shape == (people.counts.sum(), 103)
    batch = next(iter(known.tuples(1, 4).take(1)))
    codes = model._real_codes(model.fields(batch))
    np.testing.assert_allclose(batch["codes"][:, 0], codes, rtol=1e-4, atol=1e-5)
    plain = sd.data.drawn(12, 2, 16)
    for needs in (model.annotate, model.prepare):
        with pytest.raises(ValueError, match="keypoints=True.*Received: 12 identities"):
            needs(plain)


def test_maps_are_inverted_and_poses_are_kept(capsys):
    people = sd.data.drawn(12, 2, 16, keypoints=True, bodies=True)
    model = make(training_identities=12, map_dim=32, pose_code=16, pose_steps=100)
    before = arrays(model, "generator", "encoder")
    with pytest.raises(RuntimeError, match="call model.prepare.*a DPIGMaps that was not prepared"):
        model.fit(people.tuples(1, 4), steps_per_epoch=1, verbose=0)
    model.prepare(people)
    assert (
        "12 identities" in people.summary() and "Pose autoencoder, 100" in capsys.readouterr().out
    )
    np.testing.assert_equal(arrays(model, "generator", "encoder"), before)
    model.fit(people.tuples(1, 4), steps_per_epoch=1, verbose=0)
    assert model.completed_steps == 1
    fields = people.fields
    points = fields["keypoints"]
    rebuilt = model.pose_decoder(model.pose_encoder(model.poses(points)))
    error = float(tf.reduce_mean(tf.square(rebuilt - model.poses(points))))
    assert error < 0.5 * float(tf.math.reduce_variance(model.poses(points)))
    # Codes that some noise stands for have an inverse, others the nearest.
    noise = model.observation_codes(range(5)).numpy()
    pose = model.codes_from("pose", tf.constant(noise[:, 4:])).numpy()
    found = model.codes_from("pose", tf.constant(model.noise_of("pose", pose)))
    assert np.mean((found - pose) ** 2) < 0.01 * np.var(pose)
    identity, observation = model.encode(people.images[:3], points[:3], fields["mask"][:3])
    assert identity.shape == (3, 96) and observation.shape == (3, 4 + 16)
    assert max(abs(identity).max(), abs(observation).max()) <= 3
    # The pose of an observation code is what its noise is mapped and decoded to.
    decoded = model.keypoints_of(noise)
    np.testing.assert_allclose(model.poses(decoded), model.pose_decoder(pose), rtol=1e-4, atol=1e-4)


def test_statistics_are_of_the_codes_that_the_generator_takes():
    model = make(ema=0.5)
    codes = model.latents.join(model.identity_codes(range(3)), model.observation_codes(range(3)))
    images = model.best("generator")(model.calibration_codes(range(3)))
    np.testing.assert_allclose(images, model(codes), atol=1e-6)


def test_a_run_goes_on_from_the_first_stage_and_resumes_exactly(tmp_path):
    people = sd.data.drawn(8, 2, 16, keypoints=True, bodies=True)

    def train(model, name, steps, **options):
        model.compile(run_eagerly=True)
        schedule = training.Schedule(steps, batch_size=2, log_every=0, checkpoint_every=1)
        training.train(model, people, tmp_path / name, schedule, **options)
        return tiny.values(model)

    sizes = {"training_identities": 8, "seed": 1, "ema": 0.5}
    first = train(DPIG(**{**dpig.TINY, **sizes}), "people", 1)

    def later(steps):
        made = DPIGMaps(**{**TINY, **sizes, "critic_steps": 2, "seed": 2})
        return train(made, "maps", steps, start_from=tmp_path / "people")

    whole = later(3)
    # As if it had been killed after its first step.
    training.Checkpoints(tmp_path / "maps" / "checkpoints").forget_after(1)
    parts = later(3)
    for name, value in whole.items():
        np.testing.assert_array_equal(parts[name], value, err_msg=name)
    # Averages of the first stage stay what they are, too.
    frozen = ("generator/", "averaged_generator/", "encoder/", "discriminator/")
    kept = {name: value for name, value in first.items() if name.startswith(frozen)}
    assert {name.split("/")[0] + "/" for name in kept} == set(frozen)
    for name, value in kept.items():
        np.testing.assert_array_equal(whole[name], value, err_msg=name)
    samples = {path.name for path in (tmp_path / "maps" / "samples").glob("*.png")}
    assert {"pose-00000003.png", "background-00000003.png", "step-00000003.png"} <= samples
    with pytest.raises(ValueError, match="--start=RUN.*dpig_maps without one"):
        train(DPIGMaps(**{**TINY, **sizes}), "alone", 1)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"objective": "hinge"}, "objective='hinge'"),
        ({"critic_steps": -1}, "critic_steps=-1"),
        ({"pose_steps": 0}, "pose_steps=0"),
        ({"spread": 0.0}, "spread=0.0"),
        ({"training_identities": 0}, "training_identities=0"),
        ({"depth": 3}, "No part of this DPIGMaps takes such an option.*depth=3"),
    ],
)
def test_what_is_refused(arguments, told):
    with pytest.raises(ValueError, match=told):
        DPIGMaps(**{**TINY, **arguments})
