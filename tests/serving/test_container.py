"""The configuration of a TF Serving container, read back as its protocol buffers."""

from __future__ import annotations

import csv
import json
import shlex
import urllib.request

import pytest
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    text_format,
    wrappers_pb2,
)

from sdgan_tf.serving import container
from tests.serving import servers


def batching_parameters():
    """Return the message of session_bundle_config.proto, which no package brings to Python."""
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="batching.proto", syntax="proto3", dependency=[wrappers_pb2.DESCRIPTOR.name]
    )
    message = file.message_type.add(name="BatchingParameters")
    names = ("max_batch_size", "batch_timeout_micros", "max_enqueued_batches", "num_batch_threads")
    for number, name in enumerate(names, 1):
        message.field.add(
            name=name,
            number=number,
            type=field.TYPE_MESSAGE,
            label=field.LABEL_OPTIONAL,
            type_name=".google.protobuf.Int64Value",
        )
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("BatchingParameters"))()


@pytest.fixture(params=["faces", 'o"dd näme\\', "a,source=", 'both",'])
def folder(request, tmp_path):
    """Return a folder of versions."""
    made = tmp_path / request.param
    (made / "1").mkdir(parents=True)
    return made


def test_the_models_file_names_the_model_and_its_place_in_the_container(folder):
    config = pytest.importorskip(
        "tensorflow_serving.config.model_server_config_pb2", reason="needs the extra `serving`"
    )
    models = text_format.Parse(
        container.write_files(folder, 64)[0].read_text(), config.ModelServerConfig()
    )
    (only,) = models.model_config_list.config
    assert (only.name, only.base_path, only.model_platform) == (
        folder.name,
        f"/models/{folder.name}",
        "tensorflow",
    )


def test_the_batching_file_bounds_a_batch_and_the_queue(folder):
    text = container.write_files(folder, 16)[1].read_text()
    parameters = text_format.Parse(text, batching_parameters())
    assert parameters.max_batch_size.value == 16
    assert parameters.batch_timeout_micros.value == 2000
    assert parameters.max_enqueued_batches.value == 100
    assert not parameters.HasField("num_batch_threads")


def test_files_lie_beside_the_versions_and_are_those_of_the_newest_export(folder):
    older = folder.with_name("older")
    folder.rename(older)
    container.write_files(older, 64)
    older.rename(folder)
    files = container.write_files(folder, 4)
    assert {entry.name for entry in folder.iterdir()} == {"1", "models.config", "batching.config"}
    assert "older" not in files[0].read_text()
    assert "max_batch_size { value: 4 }" in files[1].read_text()


def test_the_commands_are_words_of_a_shell_and_paths_are_resolved(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    serve, ask = (shlex.split(command) for command in container.commands(folder.name))
    assert serve[:3] == ["docker", "run", "--rm"]
    inside = f"/models/{folder.name}"
    # As Docker reads it.
    (mount,) = csv.reader([serve[serve.index("--mount") + 1]])
    assert mount == ["type=bind", f"source={folder}", f"target={inside}", "readonly"]
    assert serve[serve.index("tensorflow/serving") + 1 :] == [
        f"--model_config_file={inside}/models.config",
        "--enable_batching",
        f"--batching_parameters_file={inside}/batching.config",
    ]
    assert ask[:2] == ["curl", "-d"]


def test_what_curl_sends_is_answered(path, answers):
    body, url = shlex.split(container.commands(path.parent)[1])[2:]
    with servers.rest(answers) as address:
        sent = url.replace("http://127.0.0.1:8501", address)
        with urllib.request.urlopen(sent, body.encode()) as response:
            outputs = json.loads(response.read())["outputs"]
    assert sorted(outputs) == ["identity", "images", "observation"]
    assert outputs["identity"][0] == outputs["identity"][1]
    assert outputs["observation"][0] != outputs["observation"][1]
