"""Code files: who is in an image and how it was taken, to be shown again."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sdgan_tf.files import atomic_file, local_path, read_arrays, write_arrays

PARTS = ("identity", "observation")
# What the arrays of a file may take when they are unpacked.
MAX_BYTES = 2**30


def save_codes(path: str | Path, identity: np.ndarray, observation: np.ndarray) -> Path:
    """Writes float32 [n, d_i] and float32 [m, d_o] as the arrays `identity` and `observation` of an
    .npz file, whole or not at all.
    """
    path = local_path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as file:
        write_arrays(file, {"identity": identity, "observation": observation})
    return path


def load_codes(path: str | Path) -> dict[str, np.ndarray]:
    """Reads what `save_codes` wrote; one of the two arrays may be missing.

    Returns:
        `identity`, float32 [n, d_i], and `observation`, float32 [m, d_o], as far as they are there.

    Raises:
        ValueError: no such file, a damaged one, a giant, or arrays that are no codes.
    """
    path = local_path(path)
    try:
        arrays = read_arrays(path, MAX_BYTES)
    except Exception as error:  # A damaged zip file raises nearly anything.
        raise ValueError(f"The codes in {path} cannot be read: {error}") from error
    checked = {}
    for name, codes in arrays.items():
        if name not in PARTS or codes.ndim != 2 or codes.dtype.kind != "f":
            raise ValueError(
                f"A code file holds {' and '.join(PARTS)}, float [n, width]. "
                f"Received: {name}, {codes.dtype} {codes.shape}, in {path}"
            )
        checked[name] = codes.astype(np.float32)
    if not checked:
        raise ValueError(f"{path} holds no codes: neither {' nor '.join(PARTS)}.")
    return checked
