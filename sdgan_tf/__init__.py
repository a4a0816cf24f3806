"""SD-GAN in Keras: semantically decomposed latent spaces of GANs (arXiv 1705.07904)."""

from sdgan_tf import data
from sdgan_tf.latents import LatentSpace
from sdgan_tf.models import SDBEGAN, SDGAN
from sdgan_tf.serving import load as load_saved_model
from sdgan_tf.training import callbacks, load_run
from sdgan_tf.version import __version__

__all__ = [
    "SDBEGAN",
    "SDGAN",
    "LatentSpace",
    "__version__",
    "callbacks",
    "data",
    "load_run",
    "load_saved_model",
]
