"""What visitors of the page may do: who gets in, what they may send, what is kept of it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import ipaddress
import re
import stat
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from absl import logging

from sdgan_tf.data import decoding
from sdgan_tf.files import local_path

# What the page in the browser sends; Gradio has further routes that take files.
UPLOAD = "/gradio_api/upload"
POSTS = ("/login", "/gradio_api/queue/join", "/gradio_api/cancel", "/gradio_api/reset", UPLOAD)
# A request that is no upload, and what an upload has besides the photo.
REQUEST_BYTES = 2**16
# Uploads that are received at the same time, and how long one may take.
UPLOADS = 8
UPLOAD_SECONDS = 60


@dataclasses.dataclass(frozen=True)
class Limits:
    """What visitors may send, and what is kept.

    Attributes:
        megabytes: size of a photo's file; a larger one is refused.
        pixels: pixels of a photo; one with more is refused before it is decoded.
        waiting: events that wait for their turn; a further one is refused.
        disk_megabytes: size of all temporary files together; the oldest are deleted.
        seconds: age at which a temporary file is deleted.
    """

    megabytes: int = 10
    pixels: int = 25_000_000
    waiting: int = 20
    disk_megabytes: int = 500
    seconds: int = 600


def credentials(auth: str | None) -> tuple[str, str] | None:
    """The name and the password in `USER:PASSWORD`, or in a file that holds this; None for None."""
    if auth is None:
        return None
    text = auth
    if ":" not in auth or "://" in auth:
        with contextlib.suppress(OSError, UnicodeDecodeError):
            text = local_path(auth).read_text().strip()
    user, _, password = text.partition(":")
    if not user or not password:
        # What came may be a password: the message must not repeat it.
        raise ValueError("auth is USER:PASSWORD, or the name of a file that holds this.")
    return user, password


def check_host(host: str, auth: tuple[str, str] | None) -> None:
    """Raises a `ValueError` for a page that other machines reach and that asks for no password."""
    local = host == "localhost"
    with contextlib.suppress(ValueError):
        local = local or ipaddress.ip_address(host).is_loopback
    if not local and not auth:
        raise ValueError(
            "A page that other machines reach asks for a password: give auth=USER:PASSWORD, or the "
            f"name of a file that holds this, or host=127.0.0.1. Received: host={host}, no auth"
        )


def prune(folder: Path, limits: Limits) -> None:
    """Deletes the temporary files that are too old, then the oldest until the others fit."""
    files = []
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            status = path.stat()
            if stat.S_ISREG(status.st_mode):
                files.append((status.st_mtime, status.st_size, path))
    room, now = limits.disk_megabytes * 2**20, time.time()
    for changed, size, path in sorted(files, reverse=True):
        room -= size
        if room < 0 or now - changed > limits.seconds:
            path.unlink(missing_ok=True)
            if path.parent != folder:
                with contextlib.suppress(OSError):
                    path.parent.rmdir()


class Guard:
    """Refuses requests before the web server reads them: an ASGI middleware.

    Args:
        app: the application.
        folder: where it keeps its temporary files.
        limits: what visitors may send.
    """

    def __init__(self, app: Callable[..., Awaitable[None]], folder: Path, limits: Limits):
        self.app, self.folder, self.limits = app, folder, limits
        self.uploads = 0

    async def __call__(self, scope: dict, receive: Callable, send: Callable) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self.app(scope, receive, send)
        elif scope["path"].rstrip("/") not in POSTS or scope["method"] != "POST":
            await _refuse(send, 404, "The page has no such address.")
        elif scope["path"].rstrip("/") != UPLOAD:
            await self._pass(scope, receive, send, REQUEST_BYTES)
        elif self.uploads >= UPLOADS:
            await _refuse(send, 503, "Too many uploads at the same time: try again.")
        else:
            self.uploads += 1
            try:
                prune(self.folder, self.limits)
                most = self.limits.megabytes * 2**20 + REQUEST_BYTES
                await self._pass(scope, receive, send, most)
            finally:
                self.uploads -= 1

    async def _pass(self, scope: dict, receive: Callable, send: Callable, most: int) -> None:
        """Passes on a request of `most` bytes or fewer, an upload only if it is one image."""
        try:
            body = await asyncio.wait_for(_read(receive, most), UPLOAD_SECONDS)
        except asyncio.TimeoutError:
            return await _refuse(send, 408, "The request took too long.")
        if body is None:
            return await _refuse(send, 413, f"The request exceeds the size of {most:,} bytes.")
        if scope["path"].rstrip("/") == UPLOAD:
            try:
                self._check_image(dict(scope["headers"]).get(b"content-type", b""), body)
            except decoding.BadImage as error:
                return await _refuse(send, 415, str(error))
        messages = [{"type": "http.request", "body": body, "more_body": False}]

        async def again() -> dict[str, Any]:
            return messages.pop() if messages else await receive()

        started = []

        async def answer(message: dict[str, Any]) -> None:
            started.append(message)
            await send(message)

        try:
            await self.app(scope, again, answer)
        except Exception as error:
            # Gradio knows no better than to fail at events that the page does not have.
            if started:
                raise
            logging.warning("A request to %s was refused: %r", scope["path"], error)
            await _refuse(send, 400, "The page can make nothing of this request.")
        return None

    def _check_image(self, content_type: bytes, body: bytes) -> None:
        boundary = re.search(rb'boundary="?([^";,]+)', content_type)
        parts = body.split(b"--" + boundary[1])[1:-1] if boundary else []
        contents = parts[0].partition(b"\r\n\r\n")[2] if len(parts) == 1 else b""
        decoding.decode(contents, 1, max_pixels=self.limits.pixels, path="The photo")


async def _read(receive: Callable, most: int) -> bytes | None:
    """The contents of a request; None if it has more than `most` bytes or was broken off."""
    body, more = bytearray(), True
    while more:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > most or message["type"] == "http.disconnect":
            return None
        more = message.get("more_body", False)
    return bytes(body)


async def _refuse(send: Callable, status: int, reason: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": reason.encode()})
