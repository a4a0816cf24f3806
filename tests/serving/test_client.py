"""The client, against both sides of a server."""

from __future__ import annotations

import builtins
import importlib.util
import socket
import time

import numpy as np
import pytest
import tensorflow as tf

from sdgan_tf.serving import Client, ServingError
from sdgan_tf.serving.rpc import GrpcTransport
from tests import commands
from tests.serving import servers

pytestmark = pytest.mark.once

EXTRA = importlib.util.find_spec("tensorflow_serving") is not None
CODES = {"UNAVAILABLE": 503, "INTERNAL": 500, "RESOURCE_EXHAUSTED": 429}


@pytest.fixture(
    params=[
        "rest",
        pytest.param("rpc", marks=pytest.mark.skipif(not EXTRA, reason="needs `serving`")),
    ]
)
def address(request, answers):
    """Return the address of a server, of either side."""
    with getattr(servers, request.param)(answers) as served:
        yield served


@pytest.fixture
def client(address):
    """Return a client of that server."""
    with Client(address, "faces") as made:
        yield made


def failures(*names):
    """Return what a server answers to as many requests, on both of its sides."""
    if not EXTRA:
        return [(None, CODES[name]) for name in names]
    import grpc

    return [(getattr(grpc.StatusCode, name), CODES[name]) for name in names]


def test_every_signature(client, answers, requests):
    asked = requests(3)
    expected = {name: answers.run(name, inputs) for name, inputs in asked.items()}
    images = client.generate(**asked["serving_default"])
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images, expected["serving_default"]["images"])
    pngs = client.generate_png(**asked["generate_png"])
    assert pngs == expected["generate_png"]["image_bytes"].tolist()
    samples = client.sample(**asked["sample"])
    assert sorted(samples) == ["identity", "images", "observation"]
    for key, value in samples.items():
        assert value.dtype == expected["sample"][key].dtype
        np.testing.assert_array_equal(value, expected["sample"][key])
    scores = client.score(**asked["score"])
    assert scores.dtype == np.float32
    np.testing.assert_array_equal(scores, expected["score"]["score"])


def test_plain_lists_of_numbers_will_do(client, answers):
    images = client.generate([[0, 1]], [[0.5, -1]])
    inputs = {"identity": np.float32([[0, 1]]), "observation": np.float32([[0.5, -1]])}
    np.testing.assert_array_equal(images, answers.run("serving_default", inputs)["images"])


@pytest.mark.parametrize(
    ("name", "inputs", "message"),
    [
        ("generate", ([[0, 1, 2]], [[0, 1]]), r"`identity` is float32 \['n', 2\]. .*\[1, 3\]"),
        ("generate", ([0, 1], [0, 1]), r"`identity` is float32 \['n', 2\]. .*\[2\]"),
        ("generate", ([[0, np.nan]], [[0, 1]]), "all of it finite"),
        ("generate", ([[0, 1e300]], [[0, 1]]), "all of it finite"),
        ("generate", ([["a", "b"]], [[0, 1]]), "`identity` is float32 .* Received: <?U|str"),
        ("generate", ([[0, 1]] * 2, [[0, 1]]), "'identity': 2, 'observation': 1"),
        ("generate", ([[0, 1]] * 65, [[0, 1]] * 65), r"1 to 64 rows .* Received: 65"),
        ("generate", (np.zeros((0, 2)), np.zeros((0, 2))), "1 to 64 rows .* Received: 0"),
        ("sample", ([1.5], [1]), "`identity_seed` is int64 .* Received: float64"),
        (
            "sample",
            (np.array([2**63], np.uint64), [1]),
            "Received: values from 9223372036854775808",
        ),
        ("score", (np.zeros((1, 2, 9, 9, 3), np.uint8),), r"\['n', 2, 8, 8, 3\].*9, 9"),
        ("score", (np.zeros((1, 2, 8, 8, 3)),), "`images` is uint8 .* Received: float64"),
        ("score", (np.full((1, 2, 8, 8, 3), 256),), "Received: values from 256 to 256"),
    ],
)
def test_what_the_model_cannot_take_is_not_sent(client, answers, name, inputs, message):
    with pytest.raises(ValueError, match=message):
        getattr(client, name)(*inputs)
    # The question what the model takes, and no more.
    assert len(answers.asked) == 1


def test_transient_errors_are_tried_again(client, answers):
    answers.failures.extend(failures("UNAVAILABLE", "UNAVAILABLE"))
    assert client.sample([1], [1])["images"].shape == (1, 8, 8, 3)
    assert len(answers.asked) == 4


@pytest.mark.parametrize("code", ["INTERNAL", "RESOURCE_EXHAUSTED"])
def test_other_errors_are_not(client, answers, code):
    answers.failures.extend(failures(code))
    with pytest.raises(ServingError, match="as the test wants it") as info:
        client.sample([1], [1])
    # HTTP has one number for several codes.
    assert info.value.code in (code, "UNKNOWN")
    assert len(answers.asked) == 1


def test_a_long_request_is_sent_again_too(address, answers, requests):
    """gRPC keeps no copy of more than 256 KiB unless it is told to."""
    tuples = requests(1000)["score"]["images"]
    assert tuples.nbytes > 2**18
    with Client(address, "faces", max_rows=1000) as client:
        client.score(tuples[:1])
        answers.failures.extend(failures("UNAVAILABLE"))
        assert client.score(tuples).shape == (1000,)


@pytest.mark.parametrize("retries", [0, 2])
def test_there_is_an_end_to_retries(address, answers, retries):
    answers.failures.extend(failures(*["UNAVAILABLE"] * 9))
    with Client(address, "faces", retries=retries) as client, pytest.raises(ServingError) as info:
        client.sample([1], [1])
    assert info.value.transient
    assert len(answers.asked) == 1 + retries


def test_retries_end_in_time(address, answers):
    answers.failures.extend(failures(*["UNAVAILABLE"] * 9))
    start = time.monotonic()
    with Client(address, "faces", timeout=0.5) as client, pytest.raises(ServingError):
        client.sample([1], [1])
    assert time.monotonic() - start < 1
    asked = len(answers.asked)
    assert 2 <= asked <= 4
    # Nor does anything go on behind the caller's back.
    time.sleep(1)
    assert len(answers.asked) == asked


@pytest.mark.parametrize(
    ("name", "version"), [("nobody", None), ("faces", 7)], ids=["model", "version"]
)
def test_what_the_server_does_not_have(address, name, version):
    refused = pytest.raises(ServingError, match="NOT_FOUND: .*Servable not found")
    with Client(address, name, version) as client, refused:
        client.sample([1], [1])


def test_a_version_can_be_chosen(address):
    with Client(address, "faces", version=1) as client:
        assert len(client.sample([1], [1])["images"]) == 1


def test_another_model_is_told_from_ours(client, answers, monkeypatch):
    others = {"serving_default": answers.signatures["score"]}
    monkeypatch.setattr(answers, "signatures", others)
    for ask in (client.generate, client.sample):
        with pytest.raises(ServingError, match=r"NOT_FOUND.*'serving_default': \['images'\]"):
            ask([[0, 1]], [[0, 1]])


@pytest.mark.parametrize(
    "shape", [[-17], [5], [], None], ids=["negative", "fixed", "scalar", "any"]
)
def test_a_shape_that_no_export_has_is_the_servers_fault(shape, client, answers, monkeypatch):
    signature = type(answers.signatures["sample"])()
    signature.CopyFrom(answers.signatures["sample"])
    changed = signature.inputs["observation_seed"].tensor_shape
    changed.CopyFrom(tf.TensorShape(None).as_proto())
    if shape is not None:
        changed.unknown_rank = False
        for size in shape:
            changed.dim.add(size=size)
    monkeypatch.setattr(client, "_signatures", {"sample": signature})
    with pytest.raises(ServingError, match="UNKNOWN: the answer is not that of TF Serving"):
        client.sample([1], [1])


def test_a_refusal_of_the_server_is_passed_on(client, answers, requests, monkeypatch):
    """As after a new version of another shape."""
    client.score(**requests(1)["score"])
    monkeypatch.setattr("sdgan_tf.serving.client._checked", lambda name, value, _: value)
    with pytest.raises(ServingError, match=r"INVALID_ARGUMENT.*not compatible") as info:
        client.score(np.zeros((1, 2, 9, 9, 3), np.uint8))
    assert not info.value.transient


@pytest.fixture(
    params=[
        "http://",
        pytest.param("", marks=pytest.mark.skipif(not EXTRA, reason="needs `serving`")),
    ]
)
def silent(request):
    """Return the address of someone who listens and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"{request.param}127.0.0.1:{server.getsockname()[1]}"


def test_a_silent_server_costs_the_timeout_and_no_more(silent):
    start = time.monotonic()
    with Client(silent, "faces", timeout=0.3) as client, pytest.raises(ServingError) as info:
        client.sample([1], [1])
    assert info.value.code in ("DEADLINE_EXCEEDED", "UNAVAILABLE")
    assert time.monotonic() - start < 5


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize("start", [b"", OK, OK + b"Content-Length: 99\r\n\r\n"])
def test_a_server_that_drips_costs_the_timeout_and_no_more(start):
    """In its status line, its headers or its contents."""
    began = time.monotonic()
    drops = [b"HTTP/"[i : i + 1] for i in range(5)] if not start else [b"x"] * 40
    with (
        servers.raw(start, *drops, *[b"9"] * 40, pause=0.1) as address,
        Client(address, "faces", timeout=0.4) as client,
        pytest.raises(ServingError, match="DEADLINE_EXCEEDED"),
    ):
        client.sample([1], [1])
    assert time.monotonic() - began < 1


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (OK + b"Content-Length: 99\r\n\r\n{}", "UNAVAILABLE.*IncompleteRead"),
        (b"What?\r\n\r\n", "UNAVAILABLE.*BadStatusLine"),
        (b"", "UNAVAILABLE.*closed connection"),
        (OK + b"\r\n" + b"[" * 100_000, "UNKNOWN.*RecursionError"),
        (OK + b"\r\n[]", "UNKNOWN: the answer is not that of TF Serving"),
        (OK + b"\r\n<html>", "UNKNOWN: the answer is not that of TF Serving"),
        (OK + b'\r\n{"hello": "world"}', "UNKNOWN.*not that of TF Serving: KeyError.*metadata"),
        (b"HTTP/1.1 500 \r\n\r\n" + b"[" * 100_000, "UNKNOWN: HTTP 500"),
        (OK + b"\r\n" + b" " * 200_000, "RESOURCE_EXHAUSTED.*more than 150,000 bytes"),
        (OK + b"Content-Encoding: gzip\r\n\r\n\x1f\x8b", "UNKNOWN"),
    ],
    ids=["short", "status", "nothing", "deep", "list", "page", "other", "error", "giant", "packed"],
)
def test_what_is_no_answer_is_a_serving_error(answer, message):
    with (
        servers.raw(answer) as address,
        Client(address, "faces", retries=0, max_bytes=150_000) as client,
        pytest.raises(ServingError, match=message),
    ):
        client.sample([1], [1])


def test_an_answer_over_grpc_has_a_limit_too(answers):
    pytest.importorskip("tensorflow_serving", reason="needs `serving`")
    with servers.rpc(answers) as address, Client(address, "faces", max_bytes=8000) as client:
        assert len(client.sample([1], [1])["images"]) == 1
        with pytest.raises(ServingError, match="RESOURCE_EXHAUSTED"):
            client.sample([1] * 60, [1] * 60)


def test_redirects_are_not_followed(answers):
    with servers.rest(answers) as elsewhere:
        place = f"{elsewhere}/v1/models/faces/metadata".encode()
        moved = b"HTTP/1.1 302 Moved\r\nContent-Length: 0\r\nLocation: " + place + b"\r\n\r\n"
        refused = pytest.raises(ServingError, match="HTTP 302 .redirects are not followed")
        with servers.raw(moved) as address, Client(address, "faces") as client, refused:
            client.sample([1], [1])
    assert answers.asked == []


def test_nobody_there():
    (port,) = commands.free_ports(1)
    refused = pytest.raises(ServingError, match="UNAVAILABLE: http.*refused")
    with Client(f"http://127.0.0.1:{port}", "faces", retries=1) as client, refused:
        client.sample([1], [1])


def test_grpc_without_its_extra_names_it(monkeypatch):
    real = builtins.__import__

    def fake(name, *rest):
        if name.startswith(("tensorflow_serving", "grpc")):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", fake)
    with pytest.raises(ImportError, match=r"pip install 'sdgan_tf\[serving\]'"):
        Client("localhost:8500", "faces")


@pytest.mark.parametrize(
    "values",
    [{"timeout": 0}, {"retries": -1}, {"retries": 5}, {"max_rows": 0}, {"max_bytes": 0}],
    ids=str,
)
def test_options_out_of_range(values):
    with pytest.raises(ValueError, match="Received: "):
        Client("http://localhost:8501", "faces", **values)


def test_one_value_is_not_blown_up_to_gigabytes():
    pytest.importorskip("tensorflow_serving", reason="needs `serving`")
    from tensorflow.core.framework import tensor_pb2

    giant = tensor_pb2.TensorProto(dtype=tf.float32.as_datatype_enum, float_val=[1.0])
    giant.tensor_shape.dim.add(size=2**20)
    transport = GrpcTransport("127.0.0.1:1", "faces", None, 0, max_bytes=2**20)
    with pytest.raises(ServingError, match="'images' is of 4,194,304 bytes, more than max_bytes"):
        transport._array("images", giant)
    giant.tensor_shape.dim[0].size = 2
    assert transport._array("images", giant).tolist() == [1.0, 1.0]
