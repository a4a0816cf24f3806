"""SD-GAN in Keras: semantically decomposed latent spaces of GANs (arXiv 1705.07904)."""

from sdgan_tf import data, evaluation, serving
from sdgan_tf.latents import LatentSpace
from sdgan_tf.models import ACDCGAN, DRGAN, SDBEGAN, SDGAN, EncoderPairGAN, TablePairGAN
from sdgan_tf.serving import from_pretrained
from sdgan_tf.serving import load as load_saved_model
from sdgan_tf.training import callbacks, load_run
from sdgan_tf.version import __version__

__all__ = [
    "ACDCGAN",
    "DRGAN",
    "SDBEGAN",
    "SDGAN",
    "EncoderPairGAN",
    "LatentSpace",
    "TablePairGAN",
    "__version__",
    "callbacks",
    "data",
    "evaluation",
    "from_pretrained",
    "load_run",
    "load_saved_model",
    "serving",
]
