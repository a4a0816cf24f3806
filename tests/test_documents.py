"""The code that the pages for users show runs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from absl import flags

import sdgan_tf as sd
from sdgan_tf.cli import model_flags, train

ROOT = Path(__file__).parents[1]


def blocks(page):
    """Return the Python blocks of a page, made short."""
    text = (ROOT / page).read_text()
    shown = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    shorter = {
        "steps_per_epoch=1000": "steps_per_epoch=1",
        "sd.data.drawn(image_size=32)": "sd.data.drawn(6, 3, image_size=32)",
        "batch_size=16": "batch_size=2",
    }
    for long, short in shorter.items():
        shown = [block.replace(long, short) for block in shown]
    return shown


def test_own_networks_parts_and_family_of_the_page_on_families():
    networks, parts, family = blocks("docs/families.md")
    names = {"tf": tf}
    exec(networks, names)
    model = names["model"]
    assert model.completed_steps == 1 and model.generate(2, 3).shape == (2, 3, 32, 32, 3)

    exec(parts, names)
    codes = names["space"].tuples(4, 2, tf.constant([1, 2], tf.int64)).numpy()
    assert codes.shape == (4, 2, 74) and np.all(codes[..., :10].sum(-1) == 1)

    exec(family, names)
    model = names["TinyGAN"](image_size=16)
    model.compile(run_eagerly=True)
    people = sd.data.drawn(6, 3, image_size=16)
    model.fit(people.tuples(k=1, batch_size=2), steps_per_epoch=1, verbose=0)
    assert model.completed_steps == 1 and model.generate(2, 2).shape == (2, 2, 16, 16, 3)
    assert type(model).from_config(model.get_config()).get_config() == model.get_config()


def test_own_networks_of_the_readme():
    (block,) = [block for block in blocks("README.md") if "keras.Sequential" in block]
    names = {"sd": sd}
    exec(block, names)
    assert names["model"].generate(1, 2).shape == (1, 2, 64, 64, 3)


def test_the_options_of_the_readme_are_those_of_modern():
    (block,) = [block for block in blocks("README.md") if "identity_features" in block]
    names = {"sd": sd}
    exec(block.split("model.prepare")[0], names)
    values = flags.FlagValues()
    train.define(values)
    values(["train", f"--flagfile={ROOT}/flags/modern.cfg", "--precision=float32"])
    shown, made = names["model"], model_flags.build(values, identities=10)
    assert {**shown.get_config(), "name": ""} == {**made.get_config(), "name": ""}
    for player in shown.players:
        ours, theirs = (model.optimizers[player].get_config() for model in (shown, made))
        kept = ("learning_rate", "beta_1", "beta_2")
        assert [ours[key] for key in kept] == pytest.approx([theirs[key] for key in kept])


def test_the_workers_of_the_kubernetes_example_are_those_that_it_starts(monkeypatch):
    monkeypatch.chdir(ROOT)
    text = (ROOT / "examples/kubernetes/train.yaml").read_text()
    values = flags.FlagValues()
    train.define(values)
    values(["train", *re.findall(r"- (--\S+)$", text, re.MULTILINE)])
    (config,) = re.findall(r"value: >-\n(.*?)\n +ports:", text, re.DOTALL)
    workers = json.loads(config.replace("$(INDEX)", "1"))["cluster"]["worker"]
    assert values.strategy == "multiworker" and values.batch_size % len(workers) == 0
    assert set(re.findall(r"(?:completions|parallelism): (\d+)", text)) == {str(len(workers))}
