"""From images to an exported model on an object store: a server of S3 in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import sdgan_tf as sd
from sdgan_tf.cli import data, evaluate, export, generate, train
from sdgan_tf.stores import shown
from tests import commands, tiny
from tests.training.test_cluster import LIMIT, two_addresses

# Lines of the log and checkpoints fall together at no step but the last.
ASKED = (
    "--image_size=16", "--dim=2", "--d_i=3", "--d_o=3", "--batch_size=2", "--precision=float32", "--ema=0.9",
    "--steps=20", "--log_every=5", "--checkpoint_every=3", "--grid_every=10", "--keep=2", "--best_metric=d_loss",
    "--validation_fraction=.2", "--test_fraction=.2", "--data_dir=s3://bucket/built",
)  # fmt: skip
# What tells of the time or the process, and so differs between equal runs.
UNLIKE = ("clock.json", "versions.json", "flags.cfg", "metrics.jsonl", ".lock", "tensorboard")


def products(run):
    """Return the digests of what a run leaves, and its log without what depends on the clock."""
    found = tiny.digests(run, "**/*.*")
    files = {name: digest for name, digest in found.items() if not name.startswith(UNLIKE)}
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return files, [{k: v for k, v in line.items() if k != "tuples_per_second"} for line in lines]


@pytest.fixture
def done(capsys):
    """Return what runs a command to its end."""

    def call(command, *arguments):
        assert commands.call(command, *arguments) == 0, capsys.readouterr().err

    return call


def test_build_train_kill_resume_evaluate_export_load(server, machine, tmp_path, done, capsys):
    import s3fs

    store = s3fs.S3FileSystem()
    faces = tmp_path / "faces"
    commands.pictures(faces, map(str, range(30)), 2)
    store.put(str(faces), "bucket/faces", recursive=True)
    done(data, "build", "s3://bucket/faces", "--image_size=16", "--out=s3://bucket/built")
    assert {name.rsplit("/", 1)[1] for name in store.find("bucket/built")} == {
        "images.u8", "index.json"
    }  # fmt: skip
    undisturbed = tmp_path / "undisturbed"
    done(train, *ASKED, f"--run_dir={undisturbed}")

    child = commands.start("train", *ASKED, "--run_dir=s3://bucket/run")
    limit = time.monotonic() + 600
    while not store.exists("bucket/run/checkpoints/step-00000006.npz"):
        assert child.poll() is None and time.monotonic() < limit, child.communicate()[1]
        time.sleep(0.02)
        store.invalidate_cache()
    child.kill()
    child.communicate()
    machine("second")
    capsys.readouterr()
    done(train, *ASKED, "--run_dir=s3://bucket/run")
    said = capsys.readouterr().out
    assert "Continuing s3://bucket/run at step " in said
    assert "Image: s3://bucket/run/samples/step-00000020.png" in said
    store.get("bucket/run", str(tmp_path / "fetched"), recursive=True)
    assert products(tmp_path / "fetched") == products(undisturbed)

    machine("third")
    measured = ("--pairs=20", "--steps=2", "--dim=2", "--verifier_floor=0")
    done(evaluate, "--run_dir=s3://bucket/run", *measured)
    assert "Report: s3://bucket/run/evaluation/report.md" in capsys.readouterr().out
    written = {"bucket/run/evaluation/report.json", "bucket/run/verifier/verifier.json"}
    assert written <= set(store.find("bucket/run"))
    done(export, "--run_dir=s3://bucket/run", "--out=s3://bucket/exported/faces")
    done(
        generate, "--saved_model=s3://bucket/exported/faces", "--identities=2", "--observations=3",
        "--out=s3://bucket/figures/grid.png",
    )  # fmt: skip
    assert "Written: s3://bucket/figures/grid.png" in capsys.readouterr().out
    assert not [name for name in store.find("bucket") if ".incomplete" in name]
    machine("fourth")
    model = sd.load_saved_model("s3://bucket/exported/faces")
    assert shown(model.path) == "s3://bucket/exported/faces/1"
    expected = sd.load_run(undisturbed).generate(2, 2, seed=1)
    np.testing.assert_array_equal(model.generate(2, 2, seed=1), expected)
    np.testing.assert_array_equal(sd.load_run("s3://bucket/run").generate(2, 2, seed=1), expected)


def worker(run, hosts, index, folder):
    """Start a worker on a machine of its own; what it says goes to a file."""
    config = {"cluster": {"worker": hosts}, "task": {"type": "worker", "index": index}}
    asked = (*ASKED, "--batch_size=4", "--norm=none", "--strategy=multiworker", f"--run_dir={run}")
    own = {"TF_CONFIG": json.dumps(config), "SDGAN_CACHE": f"{folder}/worker-{index}"}
    with open(folder / f"{index}.log", "a") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "sdgan_tf.cli.train", *asked],
            env={**os.environ, "PYTHONPATH": str(commands.ROOT), **own},
            stdout=log,
            stderr=log,
        )


@pytest.mark.slow
@pytest.mark.once
def test_two_workers_with_all_on_a_store_one_of_them_killed(server, tmp_path, done):
    import s3fs

    def together(run):
        hosts = two_addresses()
        return [worker(run, hosts, index, tmp_path) for index in range(2)]

    store = s3fs.S3FileSystem()
    commands.pictures(tmp_path / "faces", map(str, range(30)), 2)
    done(data, "build", tmp_path / "faces", "--image_size=16", "--out=s3://bucket/built")
    assert [one.wait(LIMIT) for one in together("s3://bucket/whole")] == [0, 0]
    workers = together("s3://bucket/run")
    limit = time.monotonic() + LIMIT
    while not store.exists("bucket/run/checkpoints/step-00000006.npz"):
        assert [one.poll() for one in workers] == [None, None] and time.monotonic() < limit
        time.sleep(0.02)
        store.invalidate_cache()
    workers[1].send_signal(signal.SIGKILL)
    assert workers[0].wait(LIMIT) == 1
    last = "The last good checkpoint is s3://bucket/run/checkpoints/step-"
    assert last in (tmp_path / "0.log").read_text()
    assert [one.wait(LIMIT) for one in together("s3://bucket/run")] == [0, 0]
    for name in ("whole", "run"):
        store.get(f"bucket/{name}", str(tmp_path / name), recursive=True)
    assert products(tmp_path / "run") == products(tmp_path / "whole")
