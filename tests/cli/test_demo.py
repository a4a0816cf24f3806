"""bin/demo: which models it shows, and what it refuses before it loads any."""

from __future__ import annotations

import sys
import urllib.request

import pytest

from sdgan_tf.cli import demo
from tests import commands


@pytest.fixture(autouse=True)
def no_traceback(monkeypatch):
    """Let errors be messages."""
    monkeypatch.delenv("SDGAN_TRACEBACK", raising=False)


def test_without_the_extra_it_names_it(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    monkeypatch.delitem(sys.modules, "sdgan_tf.demo.app", raising=False)
    monkeypatch.delattr("sdgan_tf.demo.app", raising=False)
    assert commands.call(demo, f"--run_dir={commands.GOLDEN}") == 1
    assert "pip install 'sdgan_tf[demo]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Name a model by --saved_model=DIR or --run_dir=DIR."),
        ([f"--run_dir={commands.GOLDEN}"] * 2, "Two models have the name golden/sdgan"),
        (["--run_dir=nowhere"], "nowhere is not a run directory"),
        (["--saved_model=nowhere"], "There is no SavedModel in nowhere"),
        (["--host=0.0.0.0"], "A page that other machines reach asks for a password"),
        (["--host=0.0.0.0", "--auth=anna:"], "auth is USER:PASSWORD"),
        (["--auth=nowhere"], "auth is USER:PASSWORD"),
        (["faces"], "Flags have the form --name=value. Received: faces"),
    ],
)
def test_what_cannot_be_shown(arguments, message, capsys):
    pytest.importorskip("gradio", reason="needs the extra `demo`")
    assert commands.call(demo, *arguments) == 1
    assert message in capsys.readouterr().err


def test_the_command_serves_the_page_to_this_machine():
    pytest.importorskip("gradio", reason="needs the extra `demo`")
    (port,) = commands.free_ports(1)
    process = commands.start("demo", f"--run_dir={commands.GOLDEN}", f"--port={port}")
    try:
        assert process.stdout.readline() == f"http://127.0.0.1:{port}/ - Ctrl-C ends it\n"
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as response:
            assert b"Who and how" in response.read()
    finally:
        process.kill()
        process.communicate()
