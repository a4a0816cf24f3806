"""TF Serving as far as its protocols go, over the session loader that it uses itself.

By https://www.tensorflow.org/tfx/serving/api_rest and tensorflow_serving/apis/*.proto.
"""

from __future__ import annotations

import base64
import contextlib
import http.server
import json
import re
import socket
import threading
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path

import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from tensorflow.core.protobuf import config_pb2

v1 = tf.compat.v1


class Answers:
    """A version as TF Serving has it: a session and signatures.

    Python checks the shapes that it feeds, the server in C++ does not: nor does this.

    Attributes:
        asked: names of the signatures that were asked for, in order.
        failures: what to answer first instead, (gRPC code, HTTP code), one for each request.
    """

    def __init__(self, path: Path):
        self.session = v1.Session(graph=tf.Graph())
        with self.session.graph.as_default():
            meta = v1.saved_model.load(self.session, ["serve"], str(path))
        self.signatures = {k: v for k, v in meta.signature_def.items() if not k.startswith("__")}
        self.asked = []
        self.failures = []
        self._calls = {}

    def run(self, name: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the outputs of a signature."""
        signature = self.signatures[name]
        assert set(inputs) == set(signature.inputs), f"input size does not match: {set(inputs)}"
        feeds, fetches = sorted(signature.inputs), sorted(signature.outputs)
        if name not in self._calls:
            options = config_pb2.CallableOptions()
            options.feed.extend(signature.inputs[key].name for key in feeds)
            options.fetch.extend(signature.outputs[key].name for key in fetches)
            self._calls[name] = self.session._make_callable_from_options(options)
        arrays = [np.asarray(inputs[key], self.dtype(name, key)) for key in feeds]
        return dict(zip(fetches, self._calls[name](*arrays)))

    def dtype(self, name: str, key: str) -> np.dtype:
        """Return the type of an input."""
        return tf.dtypes.as_dtype(self.signatures[name].inputs[key].dtype).as_numpy_dtype


def rest_predict(answers: Answers, body: bytes) -> dict:
    """Return what a POST to `:predict` answers."""
    request = json.loads(body)
    name = request.get("signature_name", "serving_default")
    keys = list(answers.signatures[name].inputs)
    assert ("instances" in request) != ("inputs" in request), "only one of 'inputs' or 'instances'"
    if "inputs" in request:
        columns = request["inputs"]
        if not isinstance(columns, dict):
            assert len(keys) == 1, "inputs is a plain value/list"
            columns = {keys[0]: columns}
    else:
        rows = request["instances"]
        assert rows, "No values in 'instances' array"
        if not isinstance(rows[0], dict):
            assert len(keys) == 1, "instances is a plain list"
            rows = [{keys[0]: row} for row in rows]
        columns = {key: [row[key] for row in rows] for key in keys}
    outputs = answers.run(name, {key: np.array(columns[key]) for key in keys})
    columns = {key: to_json(key, value) for key, value in outputs.items()}
    only = next(iter(columns)) if len(columns) == 1 else None
    if "inputs" in request:
        return {"outputs": columns[only] if only else columns}
    rows = [dict(zip(columns, row)) for row in zip(*columns.values())]
    return {"predictions": [row[only] for row in rows] if only else rows}


def to_json(key: str, value: np.ndarray) -> list:
    """Return a tensor as nested lists; bytes go as base64 where the name says that they are."""
    if value.dtype != object:
        return value.tolist()
    assert key.endswith("_bytes"), "strings that are no UTF-8"
    return [{"b64": base64.b64encode(item).decode()} for item in value.tolist()]


def rest_metadata(answers: Answers) -> dict:
    """Return what a GET of `/metadata` answers."""
    signatures = {
        name: json_format.MessageToDict(signature, preserving_proto_field_name=True)
        for name, signature in answers.signatures.items()
    }
    holder = {"@type": "type.googleapis.com/tensorflow.serving.SignatureDefMap"}
    return {
        "model_spec": {"name": "faces", "signature_name": "", "version": "1"},
        "metadata": {"signature_def": {**holder, "signature_def": signatures}},
    }


@contextlib.contextmanager
def rest(answers: Answers) -> Iterator[str]:
    """Serve the REST side; gives the address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.answer(r"/v1/models/faces(/versions/1)?/metadata", lambda: rest_metadata(answers))

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            path = r"/v1/models/faces(/versions/1)?:predict"
            self.answer(path, lambda: rest_predict(answers, body))

        def answer(self, path, make):
            answers.asked.append(self.path)
            code, content = 200, None
            if answers.failures:
                code, content = answers.failures.pop(0)[1], {"error": "as the test wants it"}
            elif not re.fullmatch(path, self.path):
                code, content = 404, {"error": "Servable not found for request"}
            else:
                try:
                    content = make()
                except (tf.errors.InvalidArgumentError, AssertionError) as error:
                    code, content = 400, {"error": str(error)}
            text = json.dumps(content).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def raw(*parts: bytes, pause: float = 0.0) -> Iterator[str]:
    """Answer every connection with these bytes, with a pause after each part; gives the address."""
    ended = threading.Event()

    def answer(connection):
        with connection, contextlib.suppress(OSError):
            connection.recv(2**16)
            for part in parts:
                connection.sendall(part)
                if ended.wait(pause):
                    break

    def serve():
        with contextlib.suppress(OSError):
            while not ended.is_set():
                connection, _ = listener.accept()
                threading.Thread(target=answer, args=[connection], daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        ended.set()
        listener.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def rpc(answers: Answers) -> Iterator[str]:
    """Serve the gRPC side; gives the address."""
    import grpc
    from tensorflow_serving.apis import (
        get_model_metadata_pb2,
        predict_pb2,
        prediction_service_pb2_grpc,
    )

    class Service(prediction_service_pb2_grpc.PredictionServiceServicer):
        def Predict(self, request, context):
            self.check(request, context)
            inputs = {key: tf.make_ndarray(value) for key, value in request.inputs.items()}
            response = predict_pb2.PredictResponse()
            try:
                outputs = answers.run(request.model_spec.signature_name, inputs)
            except tf.errors.InvalidArgumentError as error:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, error.message)
            for key, value in outputs.items():
                response.outputs[key].CopyFrom(tf.make_tensor_proto(value))
            return response

        def GetModelMetadata(self, request, context):
            self.check(request, context)
            signatures = get_model_metadata_pb2.SignatureDefMap()
            for name, signature in answers.signatures.items():
                signatures.signature_def[name].CopyFrom(signature)
            response = get_model_metadata_pb2.GetModelMetadataResponse()
            response.metadata["signature_def"].Pack(signatures)
            return response

        def check(self, request, context):
            answers.asked.append(request.model_spec.signature_name)
            if answers.failures:
                context.abort(answers.failures.pop(0)[0], "as the test wants it")
            if request.model_spec.name != "faces" or request.model_spec.version.value > 1:
                context.abort(grpc.StatusCode.NOT_FOUND, "Servable not found for request")

    server = grpc.server(futures.ThreadPoolExecutor(4))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Service(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()
