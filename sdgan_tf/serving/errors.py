"""What goes wrong between a client and a server."""

from __future__ import annotations


class ServingError(RuntimeError):
    """A server did not answer, or answered that it cannot.

    Attributes:
        code: name of the gRPC status code, such as `"NOT_FOUND"`; HTTP's are translated as TF
            Serving does.
        reason: what the server said.
    """

    def __init__(self, code: str, reason: str):
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason

    @property
    def transient(self) -> bool:
        """Whether the same request may well succeed in a moment: a server that starts, that is
        replaced, or whose queue is full.
        """
        return self.code == "UNAVAILABLE"
