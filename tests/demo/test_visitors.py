"""Visitors of the page: who gets in, what they may send, what is kept of it."""

from __future__ import annotations

import asyncio
import io
import os
import time

import numpy as np
import pytest
from PIL import Image

from sdgan_tf.demo import visitors
from sdgan_tf.demo.visitors import Guard, Limits, check_host, credentials, prune

LIMITS = Limits(megabytes=1, pixels=100, disk_megabytes=2)


def png(height=10, width=10):
    """Return an image as the bytes of a PNG file."""
    file = io.BytesIO()
    Image.fromarray(np.zeros((height, width, 3), np.uint8)).save(file, "PNG")
    return file.getvalue()


def upload(*files):
    """Return the contents of an upload and its type."""
    head = b'Content-Disposition: form-data; name="files"; filename="me.png"\r\n\r\n'
    parts = b"".join(b"--edge\r\n" + head + file + b"\r\n" for file in files)
    return parts + b"--edge--\r\n", b"multipart/form-data; boundary=edge"


def ask(
    folder, path, body=b"", content_type=b"", method="POST", limits=LIMITS, pause=0.0, error=None
):
    """Return the status that a request gets, the text, and the body that the page received."""
    passed, sent, place = [], [], [0]

    async def app(scope, receive, send):
        message = await receive()
        passed.append(message["body"])
        if error:
            raise error
        await visitors._refuse(send, 200, "welcome")

    async def receive():
        await asyncio.sleep(pause)
        start, place[0] = place[0], place[0] + 2**18
        return {
            "type": "http.request",
            "body": body[start : start + 2**18],
            "more_body": place[0] < len(body),
        }

    async def send(message):
        sent.append(message)

    headers = [(b"content-type", content_type)]
    scope = {"type": "http", "method": method, "path": path, "headers": headers}
    asyncio.run(Guard(app, folder, limits)(scope, receive, send))
    return sent[0]["status"], sent[1]["body"].decode(), passed


def test_a_password_is_given_or_lies_in_a_file(tmp_path):
    assert credentials(None) is None
    assert credentials("anna:a:b") == ("anna", "a:b")
    (tmp_path / "secret").write_text("anna:secret\n")
    assert credentials(str(tmp_path / "secret")) == ("anna", "secret")
    (tmp_path / "secret").write_text("hunter2\n")
    for auth in (":secret", "anna:", "hunter2", str(tmp_path / "secret")):
        with pytest.raises(ValueError, match="auth is USER:PASSWORD") as info:
            credentials(auth)
        assert "hunter2" not in str(info.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "::1", "localhost"])
def test_this_machine_needs_no_password(host):
    check_host(host, None)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.3", "example.org", ""])
def test_other_machines_need_one(host):
    with pytest.raises(ValueError, match=f"auth=USER:PASSWORD.* Received: host={host}"):
        check_host(host, None)
    check_host(host, ("anna", "secret"))


def test_one_image_passes_unchanged(tmp_path):
    body, kind = upload(png())
    assert ask(tmp_path, "/gradio_api/upload", body, kind) == (200, "welcome", [body])


@pytest.mark.parametrize(
    ("files", "status", "text"),
    [
        ([b"%!PS-Adobe-3.0 EPSF-3.0\n"], 415, "The photo: "),
        ([png(11, 10)], 415, "110 pixels, more than max_pixels=100"),
        ([png(), png()], 415, "The photo: "),
        ([], 415, "The photo: "),
        ([png() + b"x" * (2**20 + 2**16)], 413, "exceeds the size of 1,114,112 bytes"),
    ],
    ids=["program", "pixels", "two", "none", "giant"],
)
def test_other_uploads_are_refused(files, status, text, tmp_path):
    answer = ask(tmp_path, "/gradio_api/upload", *upload(*files))
    assert answer[0] == status and text in answer[1] and answer[2] == []


def test_an_upload_without_a_boundary_is_refused(tmp_path):
    assert ask(tmp_path, "/gradio_api/upload/", upload(png())[0], b"image/png")[0] == 415


def test_what_the_page_never_asks_for_is_not_there(tmp_path):
    assert ask(tmp_path, "/gradio_api/process_recording", *upload(png()))[0] == 404
    assert ask(tmp_path, "/gradio_api/queue/join", method="PUT")[0] == 404
    assert ask(tmp_path, "/anything", method="GET")[0] == 200
    assert ask(tmp_path, "/gradio_api/queue/join", b"{}")[2] == [b"{}"]
    assert ask(tmp_path, "/gradio_api/queue/join", b"x" * 70_000)[0] == 413


def test_what_the_page_fails_at_is_refused(tmp_path):
    answer = ask(tmp_path, "/gradio_api/queue/join", b"{}", error=KeyError(-1))
    assert answer == (400, "The page can make nothing of this request.", [b"{}"])


def test_a_slow_request_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(visitors, "UPLOAD_SECONDS", 0.01)
    assert ask(tmp_path, "/gradio_api/upload", *upload(png()), pause=0.1)[0] == 408


def test_uploads_at_the_same_time_are_limited(tmp_path, monkeypatch):
    monkeypatch.setattr(visitors, "UPLOADS", 0)
    assert ask(tmp_path, "/gradio_api/upload", *upload(png()))[0] == 503


def test_old_files_go_and_then_the_oldest_until_the_others_fit(tmp_path):
    now = time.time()
    for name, age, size in (("a", 1, 2**20), ("b", 60, 2**20), ("c", 90, 5), ("d", 9999, 1)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "image.png").write_bytes(b"x" * size)
        os.utime(tmp_path / name / "image.png", (now - age, now - age))
    prune(tmp_path, LIMITS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]
    body, kind = upload(png())
    ask(tmp_path, "/gradio_api/upload", body, kind, limits=Limits(disk_megabytes=1, pixels=100))
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
