"""bin/train on several devices and in several processes: real ones, on this machine."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

from sdgan_tf.cli import train
from sdgan_tf.training import RunDirectory, RunError
from sdgan_tf.training.cluster import Cluster
from tests import commands, tiny

# Lines of the log and checkpoints fall together at no step but the last.
ASKED = (
    *commands.TINY,
    "--batch_size=4",
    "--norm=none",
    "--ema=0.9",
    "--steps=20",
    "--log_every=5",
    "--checkpoint_every=3",
    "--grid_every=10",
)
# In seconds; generous, since TensorFlow starts slowly on a busy machine.
LIMIT = 600


def two_addresses():
    """Return the addresses of two ports that nobody listens on."""
    return [f"127.0.0.1:{port}" for port in commands.free_ports(2)]


def start(run, hosts, index, *more):
    """Start one worker; what it says goes to a file beside the run."""
    config = {"cluster": {"worker": hosts}, "task": {"type": "worker", "index": index}}
    asked = (*ASKED, f"--run_dir={run}", *more)
    if len(hosts) > 1:
        asked = (*asked, "--strategy=multiworker")
    with open(f"{run}-{index}.log", "a") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "sdgan_tf.cli.train", *asked],
            env={**os.environ, "PYTHONPATH": str(commands.ROOT), "TF_CONFIG": json.dumps(config)},
            stdout=log,
            stderr=log,
        )


def told(run, index):
    with open(f"{run}-{index}.log") as log:
        return log.read()


def together(run, *more):
    """Run two workers to their end; return their statuses."""
    hosts = two_addresses()
    workers = [start(run, hosts, index, *(more[index] if more else ())) for index in range(2)]
    return [worker.wait(LIMIT) for worker in workers]


def products(run):
    patterns = ("checkpoints/*", "samples/*", "config.json")
    return {name: digest for p in patterns for name, digest in tiny.digests(run, p).items()}


def numbers(run):
    """Return the log without what depends on the clock."""
    lines = RunDirectory(run).lines()
    return [{k: v for k, v in line.items() if k != "tuples_per_second"} for line in lines]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return the directory of a run of two workers that was never stopped."""
    run = tmp_path_factory.mktemp("cluster") / "whole"
    assert together(run) == [0, 0], told(run, 0) + told(run, 1)
    return run


@pytest.mark.once
def test_two_workers_train_as_one_with_two_replicas_does(whole, tmp_path):
    run = tmp_path / "mirrored"
    one = start(run, ["here"], 0, "--strategy=mirrored", "--replicas=2")
    assert one.wait(LIMIT) == 0, told(run, 0)
    logs = [numbers(path) for path in (whole, run)]
    assert [line["step"] for line in logs[0]] == [5, 10, 15, 20]
    for of_two, of_one in zip(*logs):
        assert of_two == pytest.approx(of_one, rel=1e-4, abs=1e-4)
    last = [np.load(path / "checkpoints" / "step-00000020.npz") for path in (whole, run)]
    for name in last[0].files:
        np.testing.assert_allclose(last[0][name], last[1][name], rtol=1e-3, atol=1e-5, err_msg=name)
    config = json.loads((whole / "config.json").read_text())
    assert config == json.loads((run / "config.json").read_text()) and config["replicas"] == 2


def test_a_worker_is_killed_and_all_are_started_again(whole, tmp_path):
    run = tmp_path / "run"
    hosts = two_addresses()
    workers = [start(run, hosts, index) for index in range(2)]
    limit = time.monotonic() + LIMIT
    while not (run / "checkpoints" / "step-00000006.npz").exists() and time.monotonic() < limit:
        assert [worker.poll() for worker in workers] == [None, None], told(run, 0) + told(run, 1)
        time.sleep(0.005)
    workers[1].send_signal(signal.SIGKILL)
    assert workers[0].wait(LIMIT) == 1
    assert "Another worker is gone or does not answer" in told(run, 0)
    assert "Start all workers again with the same command. The last good checkpoint is" in told(
        run, 0
    )
    assert "Traceback" not in told(run, 0)
    assert not (run / "samples" / "step-00000020.png").exists()
    assert together(run) == [0, 0], told(run, 0) + told(run, 1)
    assert "Continuing" in told(run, 0)
    assert products(run) == products(whole)


def test_workers_of_other_flags_are_refused_with_the_difference(tmp_path):
    run = tmp_path / "run"
    assert together(run, (), ("--d_rate=0.1",)) == [1, 1]
    for index in range(2):
        assert "The workers were started with different flags" in told(run, index)
        assert "d_rate: None in the chief, 0.1 in replica 1" in told(run, index)
    assert not run.exists()


def test_a_port_that_is_taken_is_told_of(tmp_path):
    hosts = two_addresses()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", int(hosts[0].split(":")[1])))
        taken.listen()
        assert start(tmp_path / "run", hosts, 0).wait(LIMIT) == 1
    assert "The workers did not come together: " in told(tmp_path / "run", 0)
    assert f"This one is {hosts[0]}: is its port free" in told(tmp_path / "run", 0)
    assert not (tmp_path / "run").exists()


class Second(Cluster):
    """The second of two workers, whose chief has the folder `chiefs`."""

    def __init__(self, chiefs):
        self.alone, self.is_chief, self.chiefs = False, False, chiefs

    def gather(self, text):
        if len(text) == 32 and not self.chiefs.exists():
            self.chiefs.mkdir()
            (self.chiefs / "shared").write_text("0" * 32)
        return ["0" * 32 if len(text) == 32 else "", text]


def test_a_folder_that_is_not_shared_is_refused(tmp_path):
    Second(tmp_path / "run").check_shared(tmp_path / "run")
    with pytest.raises(RunError, match="All workers have to see.*at replica 1 on "):
        Second(tmp_path / "elsewhere").check_shared(tmp_path / "other")


def test_another_number_of_replicas_is_refused(whole, capsys):
    assert commands.call(train, *ASKED, f"--run_dir={whole}") == 1
    assert "replicas: 2 in the directory, 1 asked" in capsys.readouterr().err
