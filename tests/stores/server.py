"""A server of S3 in a process of its own, on this machine."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

# In seconds; generous, since it starts slowly on a busy machine.
LIMIT = 120


class Server:
    """A server of S3 with the bucket `bucket`."""

    def __init__(self):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.environment = {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "somebody",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        limit = time.monotonic() + LIMIT
        while time.monotonic() < limit:
            try:
                return self.ask("PUT", "/bucket")
            except urllib.error.URLError:
                time.sleep(0.05)
        raise TimeoutError("The server does not answer.")

    def ask(self, method, path, body=b""):
        """Send a request as nobody in particular, which is allowed until `deny`."""
        request = urllib.request.Request(self.url + path, body, method=method)
        request.add_header("Content-Type", "text/plain")
        request.add_header("Authorization", "AWS4-HMAC-SHA256 Credential=a/b/us-east-1/s3/aws4")
        urllib.request.urlopen(request, timeout=LIMIT).close()

    def deny(self, denied=True):
        """Refuse everybody from now on, or nobody."""
        self.ask("POST", "/moto-api/reset-auth", b"0" if denied else b"inf")

    def silence(self):
        """Take requests from now on, and say nothing."""
        self._process.send_signal(signal.SIGSTOP)

    def end(self):
        """Go away."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
