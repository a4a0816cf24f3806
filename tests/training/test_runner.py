"""Runs: exactly resumable, and refused where they are not the same run."""

from __future__ import annotations

import json
import os
import shutil
import signal
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorflow import keras

import sdgan_tf as sd
from sdgan_tf import training
from sdgan_tf.data import from_directory
from sdgan_tf.training import clock
from sdgan_tf.training.callbacks import Checkpointing, IdentityGrid, RunLog
from tests import painted, tiny

# No interval divides another one, so that every kill falls between other things.
SCHEDULE = {"batch_size": 2, "log_every": 5, "grid_every": 7, "checkpoint_every": 3}
STEPS = 13


def train(model, people, path, steps=STEPS, **options):
    """Train to `steps`."""
    return training.train(model, people, path, training.Schedule(steps, **{**SCHEDULE, **options}))


def numbers(path):
    """Return the lines of the log without what depends on the clock."""
    lines = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    for line in lines:
        del line["tuples_per_second"]
    return lines


def products(path):
    """Return the bytes of all that a run makes, by digest."""
    patterns = ("checkpoints/*", "samples/*", "config.json")
    return {name: digest for p in patterns for name, digest in tiny.digests(path, p).items()}


@pytest.fixture(scope="module")
def whole(traced, people, tmp_path_factory):
    """Return the directory of a run that was never stopped."""
    tiny.restore(*traced)
    path = tmp_path_factory.mktemp("whole")
    train(traced[0], people, path)
    return path


def test_a_run_writes_what_it_promises(whole):
    assert sorted(products(whole)) == [
        *(f"checkpoints/step-{step:08d}.npz" for step in (9, 12, 13)),
        "config.json",
        "samples/reals.png",
        *(f"samples/step-{step:08d}.png" for step in (7, 13)),
    ]
    assert [line["step"] for line in numbers(whole)] == [5, 10]
    assert list((whole / "tensorboard").glob("events*"))


def test_training_changes_all_networks_and_the_images(whole, traced):
    model, first = traced
    training.Checkpoints(whole / "checkpoints").load(model, STEPS)
    for name, value in tiny.values(model).items():
        if "kernel" in name:
            assert np.abs(value - first[name]).max() > 1e-3, name
    images = [np.asarray(Image.open(path)) for path in sorted(whole.glob("samples/step*"))]
    assert np.any(images[0] != images[-1])


def test_executions_of_several_steps_write_at_the_same_steps(
    model, people, traced, tmp_path, capsys
):
    rhythm = {"log_every": 4, "grid_every": 8, "checkpoint_every": 4}
    train(model, people, tmp_path / "one", 12, **rhythm)
    tiny.restore(*traced)
    train(model, people, tmp_path / "several", 12, steps_per_execution=6, **rhythm)
    assert "4 steps an execution, so that" in capsys.readouterr().out
    one, several = (numbers(tmp_path / name) for name in ("one", "several"))
    assert [line["step"] for line in several] == [4, 8, 12]
    for a, b in zip(one, several):
        assert a == pytest.approx(b, rel=1e-3, abs=1e-4)
    assert list(products(tmp_path / "one")) == list(products(tmp_path / "several"))
    # A number of steps that its executions do not divide is reached, too; and the model is as it was.
    train(model, people, tmp_path / "several", 13, steps_per_execution=6, **rhythm)
    assert model.completed_steps == 13


@pytest.mark.parametrize(
    ("asked", "start", "size"),
    [(6, 0, 4), (3, 0, 2), (1, 0, 1), (100, 0, 4), (100, 2, 2), (9, 3, 1)],
)
def test_an_execution_divides_all_intervals(asked, start, size):
    intervals = {"log_every": 4, "grid_every": 8, "checkpoint_every": 0}
    schedule = training.Schedule(12, **intervals, steps_per_execution=asked)
    assert schedule.execution(start) == size


def test_an_execution_has_a_step():
    with pytest.raises(ValueError, match="Received: steps_per_execution=0"):
        training.Schedule(steps_per_execution=0)


def test_executions_of_several_steps_are_for_one_replica(model, people, tmp_path, monkeypatch):
    two = SimpleNamespace(num_replicas_in_sync=2)
    monkeypatch.setattr(type(model), "distribute_strategy", two)
    with pytest.raises(ValueError, match="Received: steps_per_execution=3 on 2 replicas"):
        train(model, people, tmp_path / "run", steps_per_execution=3)
    assert not (tmp_path / "run").exists()


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it."""


def killed(model, people, path, monkeypatch, callback, at, late):
    """Train until a callback runs at a step, and die before or after it did."""
    run = callback.run

    def dies(self, step, logs):
        if step == at and not late:
            raise Killed
        run(self, step, logs)
        if step == at:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(callback, "run", dies)
        with pytest.raises(Killed):
            train(model, people, path)


def test_killed_around_every_write_a_run_ends_with_the_same_bytes(
    whole, model, people, tmp_path, monkeypatch
):
    deaths = [
        (Checkpointing, 6, False),
        (IdentityGrid, 7, True),
        (RunLog, 10, True),
        (Checkpointing, 12, True),
    ]
    for callback, at, late in deaths:
        killed(model, people, tmp_path, monkeypatch, callback, at, late)
    # A fragment, as a kill in the middle of a write leaves it, and a disk that lost the newest.
    newest = tmp_path / "checkpoints" / "step-00000012.npz"
    newest.write_bytes(newest.read_bytes()[:1000])
    (newest.parent / ".step-00000012.npz.1.part").touch()
    train(model, people, tmp_path)
    assert products(tmp_path) == products(whole)
    assert numbers(tmp_path) == numbers(whole)


def test_a_model_that_wants_identities_gets_them_and_resumes_exactly(people, tmp_path):
    def made(identities=4):
        model = sd.ACDCGAN(identities, image_size=8, dim=1, d_i=2, d_o=2)
        model.compile(run_eagerly=True)
        return model

    options = {"log_every": 2, "grid_every": 0, "checkpoint_every": 0}
    for steps in (1, 3):
        train(made(), people, tmp_path / "parts", steps, **options)
    train(made(), people, tmp_path / "whole", 3, **options)
    last = "checkpoints/step-00000003.npz"
    assert products(tmp_path / "parts")[last] == products(tmp_path / "whole")[last]
    assert numbers(tmp_path / "parts") == numbers(tmp_path / "whole")
    loaded = training.load_run(tmp_path / "whole")
    assert loaded.identities == len(people) and loaded.generate(2, 2).shape == (2, 2, 8, 8, 3)
    with pytest.raises(ValueError, match="Received: a model of 9 and data of 4 identities"):
        train(made(9), people, tmp_path / "other", 3, **options)
    assert not (tmp_path / "other").exists()


def test_a_finished_run_is_left_as_it_is(whole, model, people):
    before, log = products(whole), numbers(whole)
    image = train(model, people, whole)
    assert int(model.step) == STEPS
    assert image == whole / "samples" / f"step-{STEPS:08d}.png"
    assert (products(whole), numbers(whole)) == (before, log)


def test_a_signal_saves_and_the_run_goes_on_with_the_same_numbers(
    whole, model, people, tmp_path, monkeypatch
):
    run = RunLog.run

    def interrupted(self, step, logs):
        run(self, step, logs)
        if step == 5:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(RunLog, "run", interrupted)
        with pytest.raises(training.Interrupted) as info:
            train(model, people, tmp_path)
    assert info.value.number == signal.SIGTERM
    assert training.Checkpoints(tmp_path / "checkpoints").steps() == [3, 5]
    assert [line["step"] for line in numbers(tmp_path)] == [5]

    train(model, people, tmp_path)
    assert numbers(tmp_path) == numbers(whole)
    assert products(tmp_path) == products(whole)


def test_stopped_amid_an_interval_the_log_still_covers_all_of_it(
    whole, model, people, tmp_path, capsys
):
    # Each part ends, as Ctrl-C would end it, between two log lines. More steps continue.
    for steps in (2, 8, STEPS):
        train(model, people, tmp_path, steps)
    assert f"Continuing {tmp_path} at step 8," in capsys.readouterr().out
    assert numbers(tmp_path) == numbers(whole)
    last = f"checkpoints/step-{STEPS:08d}.npz"
    assert products(tmp_path)[last] == products(whole)[last]


def test_minutes_end_a_run_that_more_minutes_go_on_with(
    whole, model, people, tmp_path, monkeypatch, capsys
):
    now = iter(range(0, 10_000, 6))
    monkeypatch.setattr(clock, "time", SimpleNamespace(monotonic=lambda: next(now)))
    # A step takes 6 seconds, the first of each part none.
    for minutes, step in ((0.5, 6), (0.5, 6), (0.7, 9), (0.0, STEPS)):
        train(model, people, tmp_path, minutes=minutes)
        assert model.completed_steps == step
    out = capsys.readouterr().out
    assert f"Training in {tmp_path}, up to step 13 or 0.5 minutes in all" in out
    assert f"{tmp_path} has its 0.5 minutes already: give it more minutes to go on." in out
    assert numbers(tmp_path) == numbers(whole)
    last = f"checkpoints/step-{STEPS:08d}.npz"
    assert products(tmp_path)[last] == products(whole)[last]


def test_the_same_model_made_again_in_one_process_continues(whole, people):
    # Keras numbers the names of models and optimizers that a process makes.
    again = tiny.model(**tiny.MODERN)
    run = training.RunDirectory(whole)
    run.open(training.describe(again, people, training.Schedule(2, **SCHEDULE)))
    run.close()


def test_another_model_optimizer_or_batch_is_refused_by_name(whole, people):
    def changes(model, **schedule):
        with pytest.raises(training.RunError) as info:
            train(model, people, whole, **schedule)
        return "\n".join(str(info.value).splitlines()[1:])

    before = products(whole)
    same = dict(tiny.MODERN)
    assert changes(tiny.model(**{**same, "r1": 0.5})) == (
        "  model.config.r1: 0.3 in the directory, 0.5 asked"
    )
    assert "learning_rate" in changes(tiny.model(rate=0.5, **same))
    assert changes(tiny.model(**same), batch_size=4) == (
        "  data.batch_size: 2 in the directory, 4 asked"
    )
    assert products(whole) == before


def test_a_changed_image_is_refused(model, tmp_path):
    faces = tmp_path / "faces"
    for index, pixels in enumerate(tiny.people().images):
        path = faces / f"person-{index // 3}" / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    run = training.RunDirectory(tmp_path / "run")
    data = from_directory(faces, image_size=8)
    run.open(training.describe(model, data, training.Schedule(2, **SCHEDULE)))
    run.close()
    changed = pixels.copy()
    changed[3, 3, 1] ^= 1
    Image.fromarray(changed).save(path)
    with pytest.raises(training.RunError, match="  data.fingerprint: '[0-9a-f]{64}' in the direc"):
        train(model, from_directory(faces, image_size=8), tmp_path / "run", steps=2)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            {"best_metric": "fid"},
            "There are d_loss.*match_auc.*variety_within.* Received: best_metric='fid'",
        ),
        ({"best_metric": "auc"}, "Received: best_metric='auc', evaluate_every=0"),
        (
            {"best_metric": "match_auc"},
            "logged every 5 steps: .*a multiple of that.* Received: checkpoint_every=3",
        ),
        (
            {"best_metric": "d_loss", "checkpoint_every": 0},
            "neither is 0. Received: checkpoint_every=0",
        ),
    ],
)
def test_what_cannot_choose_the_best_is_refused_before_training(
    model, people, tmp_path, options, told
):
    with pytest.raises(ValueError, match=told):
        train(model, people, tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_a_verifier_that_cannot_measure_is_refused_before_training(model, people, tmp_path):
    schedule = training.Schedule(9, log_every=3, evaluate_every=3, batch_size=2)
    with pytest.raises(ValueError, match="MS-SSIM needs images of 11 px or more"):
        training.train(model, people, tmp_path / "run", schedule, verifier=painted.verifier())
    assert not (tmp_path / "run").exists()


def test_a_kill_does_not_cost_the_preparation_again(people, tmp_path, monkeypatch):
    class Killed(BaseException):
        pass

    def dies(*_, **__):
        raise Killed

    first, second = tiny.model(), tiny.model()
    for model in (first, second):
        model.await_preparation("What it knows comes from a list")
        monkeypatch.setattr(model, "fit", dies)
    monkeypatch.setattr(first, "prepare", lambda data: first.prepared.assign(len(data)))
    monkeypatch.setattr(second, "prepare", dies)
    for model in (first, second):
        with pytest.raises(Killed):
            train(model, people, tmp_path)
        assert int(tf.convert_to_tensor(model.prepared)) == len(people)
    assert training.Checkpoints(tmp_path / "checkpoints").steps() == [0]


def test_a_foreign_folder_is_refused_untouched(model, people, tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(training.RunError, match="holds files but no run"):
        train(model, people, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_directory_in_use_is_refused(whole, model, people):
    run = training.RunDirectory(whole)
    run.open(run.config())
    with pytest.raises(training.RunError, match="Another process"):
        train(model, people, whole)
    run.close()


def test_nan_stops_the_run_and_is_never_saved(model, people, tmp_path, monkeypatch):
    run = IdentityGrid.run

    def poisons(self, step, logs):
        run(self, step, logs)
        bias = self.model.discriminator.layers[0].bias
        bias.assign(np.full(bias.shape, np.nan, np.float32))

    monkeypatch.setattr(IdentityGrid, "run", poisons)
    with pytest.raises(training.BadLoss) as info:
        train(model, people, tmp_path)
    last = tmp_path / "checkpoints" / "step-00000006.npz"
    assert "became NaN or infinite at step 8" in str(info.value)
    assert f"The last good checkpoint is {last}." in str(info.value)
    assert sorted(path.name for path in last.parent.iterdir()) == ["step-00000003.npz", last.name]
    assert [line["step"] for line in numbers(tmp_path)] == [5]
    with np.load(last) as arrays:
        assert all(np.isfinite(arrays[name]).all() for name in arrays.files)


def test_the_model_of_a_run_is_loaded_newest_best_or_by_step(whole, tmp_path, model):
    path = shutil.copytree(whole, tmp_path / "copy")
    with pytest.raises(training.RunError, match="best: None. Received: checkpoint='best'"):
        training.load_run(path, "best")
    (path / "checkpoints" / "best.json").write_text('{"step": 12, "score": 1.0}')
    assert int(training.load_run(path, "best").step) == 12
    assert int(training.load_run(path, 9).step) == 9
    newest = training.load_run(path)
    training.Checkpoints(path / "checkpoints").load(model, STEPS)
    model.recalibrate()
    np.testing.assert_array_equal(newest.generate(2, 2, 3), model.generate(2, 2, 3))
    with pytest.raises(
        training.RunError, match=r"the steps \[9, 12, 13\], best: 12. Received: checkpoint=5"
    ):
        training.load_run(path, 5)


def test_a_run_in_training_may_replace_its_newest_checkpoint_while_it_is_loaded(
    whole, tmp_path, monkeypatch
):
    checkpoints = shutil.copytree(whole, tmp_path / "copy") / "checkpoints"
    newest, compile = checkpoints / "step-00000013.npz", sd.SDGAN.compile

    def compile_meanwhile(*args, **kwargs):
        newest.rename(checkpoints / "step-00000015.npz")
        return compile(*args, **kwargs)

    monkeypatch.setattr(sd.SDGAN, "compile", compile_meanwhile)
    assert int(training.load_run(tmp_path / "copy").step) == 13
    assert not newest.exists()


def test_where_nothing_was_trained_there_is_nothing_to_load(model, people, tmp_path):
    with pytest.raises(training.RunError, match="not a run directory"):
        training.load_run(tmp_path)
    run = training.RunDirectory(tmp_path)
    run.open(training.describe(model, people, training.Schedule()))
    with pytest.raises(training.RunError, match="no checkpoint yet"):
        training.load_run(tmp_path)
    run.close()


@keras.utils.register_keras_serializable("tests")
class Tower(keras.Model):
    """A network of a user's own, a subclass of Keras' Model."""

    def __init__(self, width=3, **kwargs):
        super().__init__(**kwargs)
        self.width = width
        self.hidden = keras.layers.Dense(width, activation="tanh")
        self.finish = keras.layers.Dense(1)

    def call(self, tuples, training=False):
        flat = tf.reshape(tuples, [-1, tuples.shape[1] * 8 * 8 * 3])
        return self.finish(self.hidden(flat))[:, 0]

    def get_config(self):
        return {**super().get_config(), "width": self.width}


def sequential():
    """Return a generator of 4 numbers as a stack of Keras' own layers."""
    layers = [
        keras.layers.Dense(2 * 2 * 4, activation="relu"),
        keras.layers.Reshape([2, 2, 4]),
        keras.layers.BatchNormalization(),
        keras.layers.UpSampling2D(4),
        keras.layers.Conv2D(3, 3, padding="same", activation="tanh"),
    ]
    return keras.Sequential(layers)


def functional():
    """Return a generator of 4 numbers as a graph of Keras' own layers, with a way around one."""
    codes = keras.Input([4])
    first = keras.layers.Dense(8 * 8 * 3)(codes)
    second = keras.layers.Dense(8 * 8 * 3, activation="tanh")(first)
    images = keras.layers.Activation("tanh")(keras.layers.Add()([first, second]))
    return keras.Model(codes, keras.layers.Reshape([8, 8, 3])(images))


@pytest.mark.parametrize("generator", [sequential, functional])
def test_networks_of_a_users_own_train_resume_exactly_and_load_again(generator, people, tmp_path):
    def made():
        model = sd.SDGAN(generator(), Tower(5), image_size=8, d_i=2, d_o=2, ema=0.9)
        model.compile(run_eagerly=True)
        return model

    options = {"log_every": 2, "grid_every": 0, "checkpoint_every": 0}
    # Each part makes its networks anew, as another process would: Keras numbers their names.
    for steps in (1, 3):
        train(made(), people, tmp_path / "parts", steps, **options)
    whole = made()
    train(whole, people, tmp_path / "whole", 3, **options)
    assert (
        products(tmp_path / "parts")["config.json"] == products(tmp_path / "whole")["config.json"]
    )
    last = "checkpoints/step-00000003.npz"
    assert products(tmp_path / "parts")[last] == products(tmp_path / "whole")[last]
    loaded = training.load_run(tmp_path / "whole")
    assert loaded.discriminator.width == 5
    whole.recalibrate()
    np.testing.assert_array_equal(loaded.generate(2, 2), whole.generate(2, 2))
    assert loaded.generate(2, 2).std() > 1
    with pytest.raises(training.RunError, match="generator"):
        train(tiny.model(ema=0.9), people, tmp_path / "whole", 3, **options)


def test_networks_that_nobody_registered_say_what_to_do(people, tmp_path):
    class Unknown(Tower):
        pass

    model = sd.SDGAN(discriminator=Unknown(), image_size=8, dim=1, d_i=2, d_o=2)
    model.compile(run_eagerly=True)
    train(model, people, tmp_path, 1, log_every=0, grid_every=0)
    with pytest.raises(ValueError, match="'Unknown' cannot be made again: import .* @sd.register"):
        training.load_run(tmp_path)


def test_a_run_of_a_model_that_is_not_registered_is_refused(whole, tmp_path):
    path = shutil.copytree(whole, tmp_path / "copy")
    config = json.loads((path / "config.json").read_text())
    config["model"]["name"] = "elsewhere"
    (path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="'sdgan'.* import the module .* Received: model='elsewhe"):
        training.load_run(path)


def test_a_model_without_a_name_cannot_be_trained_by_a_run(people, tmp_path):
    class Nameless(sd.SDGAN):
        pass

    model = Nameless(image_size=8, dim=1, d_i=2, d_o=2)
    model.compile()
    with pytest.raises(ValueError, match="Nameless has no name .* put @sd.register"):
        train(model, people, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_notes_are_written_whole_or_not_at_all(whole, model, people, monkeypatch):
    (whole / "flags.cfg").write_text("--steps=13\n")

    def replace(source, target):
        raise OSError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replace)
        with pytest.raises(OSError, match="killed"):
            schedule = training.Schedule(STEPS, **SCHEDULE)
            training.train(model, people, whole, schedule, {"flags.cfg": "--steps=14\n"})
    assert (whole / "flags.cfg").read_text() == "--steps=13\n"
    (whole / "flags.cfg").unlink()
