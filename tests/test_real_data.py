"""From an archive of real images to an export.

Runs where SDGAN_REAL_DATA names a folder that holds sprites.tar.gz.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tarfile
import time
from pathlib import Path

import pytest
import tensorflow as tf

from sdgan_tf.cli import data, export, train
from tests import commands, tiny

ARCHIVE = Path(os.environ.get("SDGAN_REAL_DATA", ""), "sprites.tar.gz")

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(
        not (os.environ.get("SDGAN_REAL_DATA") and ARCHIVE.is_file()),
        reason="SDGAN_REAL_DATA names no folder that holds sprites.tar.gz",
    ),
]


@pytest.fixture(scope="module")
def sprites(tmp_path_factory):
    """Return the folder of the unpacked images."""
    folder = tmp_path_factory.mktemp("real")
    with tarfile.open(ARCHIVE) as archive:
        if sys.version_info >= (3, 12):
            archive.extractall(folder, filter="data")
        else:
            archive.extractall(folder)
    return folder / "sprites"


def test_the_data_doctor_finds_all_sprites(sprites, tmp_path):
    assert commands.call(data, "check", sprites, f"--json={tmp_path / 'report.json'}") == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert len(report["counts"]) == 147
    assert set(report["counts"].values()) == {24}
    assert report["sizes"] == {"64x64": 147 * 24}
    assert not report["broken"]


def test_sprites_are_trained_on_through_a_kill_and_exported(sprites, tmp_path, capsys):
    asked = (
        *(f"--data_dir={sprites}", "--image_size=16", "--dim=4", "--batch_size=4", "--steps=90"),
        *("--checkpoint_every=20", "--log_every=25", "--grid_every=0", "--norm=none", "--ema=0.9"),
        *("--mixed=0.3", "--augment=translation"),
    )
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    process = commands.start("train", *asked, f"--run_dir={killed}")
    first = killed / "checkpoints" / "step-00000020.npz"
    limit = time.monotonic() + 120
    while not first.exists() and process.poll() is None and time.monotonic() < limit:
        time.sleep(0.005)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL

    for path in (killed, whole):
        assert commands.call(train, *asked, f"--run_dir={path}") == 0
    assert f"Continuing {killed} at step " in capsys.readouterr().out
    for pattern in ("checkpoints/*", "samples/*", "config.json"):
        digests = tiny.digests(killed, pattern)
        assert digests == tiny.digests(whole, pattern)
        assert digests
    lines = [json.loads(line) for line in (killed / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [25, 50, 75]

    assert commands.call(export, f"--run_dir={killed}", f"--out={tmp_path / 'sprites'}") == 0
    sample = tf.saved_model.load(str(tmp_path / "sprites" / "1")).signatures["sample"]
    seeds = tf.constant([1, 2, 3], tf.int64)
    images = sample(identity_seed=seeds, observation_seed=seeds)["images"]
    assert images.shape == (3, 16, 16, 3)
