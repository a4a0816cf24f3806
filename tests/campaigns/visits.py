"""Hostile requests to the page of `bin/demo`, over HTTP, as anybody may send them who reaches it."""

from __future__ import annotations

import functools
import http.client
import json
import socket
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from tests.campaigns.mutation import Try, altered, damaged

# What another visitor must not get to see.
SECRET = b"nobody's business"
PATHS = (
    "/", "/config", "/login", "/theme.css", "/gradio_api/queue/join", "/gradio_api/queue/data", "/gradio_api/cancel", "/gradio_api/reset",
    "/gradio_api/upload", "/gradio_api/upload_progress", "/gradio_api/file=/etc/passwd", "/gradio_api/file=SECRET", "/gradio_api/file=../SECRET",
    "/gradio_api/proxy=http://127.0.0.1:1/", "/gradio_api/call/show", "/gradio_api/run/predict", "/gradio_api/heartbeat/x",
    "/gradio_api/component_server", "/gradio_api/stream/x/1/2/playlist.m3u8", "/static/../../SECRET", "/assets/%2e%2e/%2e%2e/SECRET",
)  # fmt: skip
EVENTS = "/gradio_api/queue/data?session_hash="
METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "TRACE")


class Refused(Exception):
    """The page's answer is an error that says what it refuses."""


def visits(folder: Path) -> Try:
    """Requests, each on a connection of its own; the page must answer whatever came before."""
    from sdgan_tf.demo import app, page, visitors
    from sdgan_tf.generation import Search
    from tests.painter import Painter

    # What takes the time of a photo's search is not asked here.
    page.SEARCH = Search(steps=2, restarts=1, random_codes=4)
    (folder / "secret").write_bytes(SECRET)
    limits = visitors.Limits(megabytes=1, pixels=1_000_000, waiting=3, disk_megabytes=2)
    blocks = app.build({"faces/1": Painter(image_size=16)}, folder / "photos", limits)
    port = urlsplit(app.launch(blocks, "127.0.0.1", None, limits)).port
    events = [event["id"] for event in json.loads(ask(port, "GET", "/config")[1])["dependencies"]]

    def attempt(rng: np.random.Generator) -> str:
        kind = rng.integers(4)
        if kind == 0:
            status, said = ask(port, "POST", "/gradio_api/upload", *upload(rng))
        elif kind == 1:
            status, said = event(port, int(rng.choice(events)), rng)
        elif kind == 2:
            status, said = 400, raw(port, rng)
        else:
            path = str(rng.choice(PATHS)).replace("SECRET", str(folder / "secret"))
            body = rng.bytes(int(2 ** rng.uniform(0, 18))) if rng.random() < 0.5 else b""
            status, said = ask(port, str(rng.choice(METHODS)), path, body)
        if SECRET in said or status >= 500:
            raise AssertionError(f"{status}: {said[-500:]!r}")
        if ask(port, "GET", "/")[0] != 200:
            raise AssertionError("The page is gone.")
        kept = sum(file.stat().st_size for file in (folder / "photos").rglob("*.*"))
        if kept > (limits.disk_megabytes + limits.megabytes) * 2**20:
            raise AssertionError(f"{kept:,} bytes of photos are kept.")
        if status >= 400:
            raise Refused(f"status {status}")
        return "answered"

    return attempt


def ask(
    port: int, method: str, path: str, body: bytes = b"", kind: str = "application/json"
) -> tuple[int, bytes]:
    """The status and the beginning of the answer to a request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.putrequest(method, path)
        for name, value in (("Content-Type", kind), ("Content-Length", str(len(body)))):
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        if "event-stream" not in answer.headers.get("Content-Type", ""):
            return answer.status, answer.read(2**20)
        # Some streams have no end but this one.
        said = b""
        while not said.endswith(b"\n\n") or (path.startswith(EVENTS) and b"ompleted" not in said):
            said += answer.read1(2**16) or b"\n\nnever completed\n\n"
        return answer.status, said
    finally:
        connection.close()


def upload(rng: np.random.Generator) -> tuple[bytes, str]:
    """The body of an upload and its type, either of them perhaps damaged."""
    from tests.campaigns.inputs import hostile_picture

    name = str(rng.choice(["me.png", "../../me.png", "a" * 3000, "me.html", "\0", ""]))
    content, edge = hostile_picture(rng)[0], b"edge" if rng.random() < 0.9 else rng.bytes(8)
    head = f'Content-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'.encode()
    parts = (b"--edge\r\n" + head + content + b"\r\n") * int(rng.choice([1, 1, 1, 2, 50]))
    body = parts + b"--edge--\r\n"
    body = damaged(body, rng) if rng.random() < 0.3 else body
    return body, "multipart/form-data; boundary=" + edge.decode("latin-1").translate(CLEAN)


# What no header may hold.
CLEAN = dict.fromkeys((*range(32), 127))


def event(port: int, number: int, rng: np.random.Generator) -> tuple[int, bytes]:
    """An event of the page with odd values; the answer is what becomes of it."""
    visitor = f"visitor-{rng.integers(2**40)}"
    content = {"fn_index": number, "session_hash": visitor, "trigger_id": None}
    content.update(event_data={"index": [1, 2], "value": ""}, data=["faces/1", None, 1, 1])
    body = json.dumps(altered(content, rng)).encode()
    body = damaged(body, rng) if rng.random() < 0.2 else body
    status, said = ask(port, "POST", "/gradio_api/queue/join", body)
    if status == 200:
        try:
            status, said = ask(port, "GET", EVENTS + visitor)
        except http.client.IncompleteRead:
            # To its own visitor alone Gradio breaks off over half a character, which is no UTF-8.
            return 400, b""
        # What the event raised is told as its outcome; what nobody waits for has none.
        status = 200 if b'"success":true' in said else 400
    return status, said


def raw(port: int, rng: np.random.Generator) -> bytes:
    """What comes back for bytes that are hardly a request, or for one that ends too soon."""
    head = b"POST /gradio_api/upload HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\nabc"
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(damaged(head, rng))
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(functools.partial(connection.recv, 2**16), b""))
