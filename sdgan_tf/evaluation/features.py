"""Spaces of features beside the verifier's own, for fidelity: Inception, where its weights are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tensorflow import keras

from sdgan_tf.evaluation.verifiers import Verifier, VerifierError, load_verifier
from sdgan_tf.evaluation.verifiers.loading import knows_settings
from sdgan_tf.files import local_path

TORCH_FIDELITY = "torch-fidelity"


def load_features(source: str | Path) -> Verifier | TorchInception:
    """Opens a space of features.

    Args:
        source: `"torch-fidelity"`; or an `.h5` file of weights of `keras.applications.InceptionV3`
            without its top; or any network that `load_verifier` reads, which is given images in
            [-1, 1] of the size that it takes.

    Raises:
        VerifierError: there is no such network, or it cannot be read.
        ImportError: torch-fidelity is not installed.
    """
    if str(source) == TORCH_FIDELITY:
        return TorchInception()
    path = local_path(source)
    if path.suffix != ".h5":
        settings = {} if knows_settings(source) else dict(scale="symmetric", metric="euclidean")
        return load_verifier(source, **settings)
    try:
        network = keras.applications.InceptionV3(
            include_top=False, weights=str(path), input_shape=(299, 299, 3), pooling="avg"
        )
    except Exception as error:  # Damaged files raise nearly anything.
        raise VerifierError(
            f"{path} does not hold weights of keras.applications.InceptionV3 without its top: {error}"
        ) from error
    return Verifier(network, f"Inception-v3, {path.name}", 299, metric="euclidean")


class TorchInception:
    """The Inception-v3 of torch-fidelity, whose weights are those of the first FID.

    Its weights are downloaded by torch-fidelity when it is first used.
    """

    def __init__(self):
        try:
            import torch
            import torch_fidelity
            from torch_fidelity.utils import create_feature_extractor
        except ImportError as error:
            raise ImportError(
                f"This space of features needs torch-fidelity: pip install -e '.[fidelity]' ({error})."
            ) from error
        self.name = f"Inception-v3 of torch-fidelity {torch_fidelity.__version__}"
        self._torch = torch
        self._network = create_feature_extractor("inception-v3-compat", ["2048"], cuda=False)

    def embed(self, images: np.ndarray, batch_size: int = 64) -> np.ndarray:
        """uint8 [n, h, w, 1 or 3] to float32 [n, 2048]."""
        colours = np.broadcast_to(images, [*images.shape[:3], 3]).transpose(0, 3, 1, 2)
        parts = []
        with self._torch.inference_mode():
            for start in range(0, len(colours), batch_size):
                batch = self._torch.from_numpy(colours[start : start + batch_size].copy())
                parts.append(self._network(batch)[0].numpy())
        return np.concatenate(parts)
