"""Chooses the precision that suits the machine."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf

from sdgan_tf.models.base import PRECISIONS

CHOICES = ("auto", *PRECISIONS)


def resolve(asked: str) -> tuple[str, str]:
    """The policy to train with, and why.

    Args:
        asked: `"auto"` or the name of a policy, which is taken as it is.

    Returns:
        (`"float32"`, `"mixed_bfloat16"` or `"mixed_float16"`, the reason in words).
    """
    if asked not in CHOICES:
        raise ValueError(f"Precision is one of {CHOICES}. Received: precision={asked!r}")
    if asked != "auto":
        return asked, "as asked"
    for gpu in tf.config.list_physical_devices("GPU"):
        capability = tf.config.experimental.get_device_details(gpu).get("compute_capability")
        if capability and capability >= (8, 0):
            return "mixed_bfloat16", "the GPU computes in bfloat16"
        return "float32", "the GPU is older than bfloat16"
    units = _bfloat16_units()
    if units:
        return "mixed_bfloat16", f"the processor has {', '.join(units)}"
    return "float32", "the processor has neither AVX512-BF16 nor AMX"


def _bfloat16_units(cpuinfo: Path = Path("/proc/cpuinfo")) -> list[str]:
    if not cpuinfo.exists():
        return []
    words = cpuinfo.read_text().split()
    return [unit for unit in ("avx512_bf16", "amx_bf16") if unit in words]
