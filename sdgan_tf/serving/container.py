"""A TF Serving container around an export: its two configuration files and the commands."""

from __future__ import annotations

import csv
import io
import json
import shlex
from pathlib import Path
from urllib.parse import quote

from sdgan_tf.files import atomic_file

MODELS_FILE = "models.config"
BATCHING_FILE = "batching.config"
GRPC_PORT = 8500
REST_PORT = 8501

# `batch_timeout_micros`: how long a request waits for others to be merged with, a fraction of what
# computing one image takes. `num_batch_threads` is left to the server: it knows its processors.
BATCHING = """\
max_batch_size {{ value: {rows} }}
batch_timeout_micros {{ value: 2000 }}
max_enqueued_batches {{ value: 100 }}
"""

MODELS = """\
model_config_list {{
  config {{
    name: {name}
    base_path: {base_path}
    model_platform: "tensorflow"
  }}
}}
"""


def write_files(folder: str | Path, rows: int) -> list[Path]:
    """Writes what TF Serving is told by, beside the versions, in place of what an older export wrote.

    Args:
        folder: holds the versions; its name is the model's.
        rows: how many rows the server computes at once.

    Returns:
        The files `models.config`, a ModelServerConfig, and `batching.config`, BatchingParameters,
        as text protocol buffers.
    """
    folder = Path(folder).resolve()
    models = MODELS.format(name=_string(folder.name), base_path=_string(_inside(folder)))
    texts = {MODELS_FILE: models, BATCHING_FILE: BATCHING.format(rows=rows)}
    for name, text in texts.items():
        with atomic_file(folder / name) as file:
            file.write(text.encode())
    return [folder / name for name in texts]


def commands(folder: str | Path) -> tuple[str, str]:
    """Shell commands, to be pasted as they are: one that serves `folder`, and one that asks.

    The ports are open to this machine alone.
    """
    folder = Path(folder).resolve()
    inside = _inside(folder)
    serve = [
        *("docker", "run", "--rm"),
        *("-p", f"127.0.0.1:{GRPC_PORT}:{GRPC_PORT}", "-p", f"127.0.0.1:{REST_PORT}:{REST_PORT}"),
        *("--mount", _mount(folder, inside)),
        "tensorflow/serving",
        f"--model_config_file={inside}/{MODELS_FILE}",
        "--enable_batching",
        f"--batching_parameters_file={inside}/{BATCHING_FILE}",
    ]
    body = {
        "signature_name": "sample",
        "inputs": {"identity_seed": [3, 3], "observation_seed": [1, 2]},
    }
    url = f"http://127.0.0.1:{REST_PORT}/v1/models/{quote(folder.name)}:predict"
    ask = ["curl", "-d", json.dumps(body), url]
    return shlex.join(serve), shlex.join(ask)


def _mount(folder: Path, inside: str) -> str:
    # Docker reads the fields as a line of CSV: one with a comma would be several.
    line = io.StringIO()
    fields = ("type=bind", f"source={folder}", f"target={inside}", "readonly")
    csv.writer(line, lineterminator="").writerow(fields)
    return line.getvalue()


def _inside(folder: Path) -> str:
    return f"/models/{folder.name}"


def _string(value: str) -> str:
    # The two formats quote alike, but for what JSON writes as \u.
    return json.dumps(value, ensure_ascii=False)
