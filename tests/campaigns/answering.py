"""Hostile answers of servers, which `sdgan_tf.serving.Client` has to live with."""

from __future__ import annotations

import concurrent.futures
import http.server
import json
import threading
from pathlib import Path

import numpy as np
import tensorflow as tf

import sdgan_tf as sd
from tests.campaigns.mutation import Try, altered, damaged

INPUTS = ("identity_seed", "observation_seed")
OUTPUTS = ("identity", "observation", "images")


def answers(folder: Path) -> Try:
    """Bodies that a REST server sends to the client."""
    shape = {"dim": [{"size": "-1"}]}
    wanted = {name: {"dtype": "DT_INT64", "tensor_shape": shape} for name in INPUTS}
    given = {name: {"dtype": "DT_FLOAT", "tensor_shape": shape} for name in OUTPUTS}
    signature = {"sample": {"inputs": wanted, "outputs": given}}
    sound = {
        "GET": {"metadata": {"signature_def": {"signature_def": signature}}},
        "POST": {"outputs": dict.fromkeys(given, [[1.0, 2.0]])},
    }
    now: dict[str, tuple[int, bytes]] = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, body = now[self.command]
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = answer  # noqa: N815 - the base class calls them so

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def attempt(rng: np.random.Generator) -> str:
        for method, content in sound.items():
            body, kind = json.dumps(content).encode(), rng.integers(4)
            if kind == 0:
                body = json.dumps(altered(content, rng)).encode()
            elif kind == 1:
                body = damaged(body, rng)
            elif kind == 2 and rng.random() < 0.2:
                body = b"[" * 100_000
            now[method] = int(rng.choice([200, 200, 200, 200, 302, 400, 500])), body
        with sd.serving.Client(
            f"http://127.0.0.1:{server.server_port}", "m", timeout=5, retries=0
        ) as client:
            client.sample([1], [2])
        return "used"

    return attempt


def rpc_answers(folder: Path) -> Try:
    """Messages that a gRPC server sends to the client."""
    import grpc
    from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2

    known = get_model_metadata_pb2.SignatureDefMap()
    for fields, names, dtype in (("inputs", INPUTS, tf.int64), ("outputs", OUTPUTS, tf.float32)):
        for name in names:
            info = getattr(known.signature_def["sample"], fields)[name]
            info.dtype = dtype.as_datatype_enum
            info.tensor_shape.dim.add(size=-1)
    now: dict[str, tuple[grpc.StatusCode, bytes]] = {}

    def metadata(rng: np.random.Generator, kind: int) -> bytes:
        message = get_model_metadata_pb2.GetModelMetadataResponse()
        message.metadata["signature_def"].Pack(known)
        if kind == 0:
            packed = message.metadata["signature_def"]
            packed.value = damaged(packed.value, rng)
        return message.SerializeToString()

    def prediction(rng: np.random.Generator, kind: int) -> bytes:
        message = predict_pb2.PredictResponse()
        for name in OUTPUTS:
            message.outputs[name].CopyFrom(tf.make_tensor_proto([[1.0, 2.0]]))
        if kind == 0:  # a shape or a type that is none of what follows
            tensor = message.outputs[str(rng.choice(OUTPUTS))]
            tensor.tensor_shape.dim[0].size = int(2 ** rng.uniform(0, 62))
            tensor.dtype = int(rng.integers(30)) if rng.random() < 0.3 else tensor.dtype
            if rng.random() < 0.5:
                tensor.tensor_content = b""
                tensor.float_val.append(1.0)
        return message.SerializeToString()

    sound = {"GetModelMetadata": metadata, "Predict": prediction}

    class Service(grpc.GenericRpcHandler):
        def service(self, call):
            def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
                code, body = now[call.method.rsplit("/", 1)[-1]]
                if code is not grpc.StatusCode.OK:
                    context.abort(code, "\U0001f600" * 100)
                return body

            return grpc.unary_unary_rpc_method_handler(answer)

    server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((Service(),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()

    def attempt(rng: np.random.Generator) -> str:
        for method, make in sound.items():
            kind = int(rng.integers(4))
            body = make(rng, kind)
            code = rng.choice(list(grpc.StatusCode)) if rng.random() < 0.1 else grpc.StatusCode.OK
            now[method] = code, damaged(body, rng) if kind == 1 else body
        with sd.serving.Client(f"127.0.0.1:{port}", "m", timeout=5, retries=0) as client:
            client.sample([1], [2])
        return "used"

    # It ends with the last reference to it.
    attempt.server = server
    return attempt
