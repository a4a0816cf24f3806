"""SD-GAN in Keras: semantically decomposed latent spaces of GANs (arXiv 1705.07904)."""

from sdgan_tf import data, evaluation, models, networks, serving
from sdgan_tf.latents import LatentSpace, Part
from sdgan_tf.models import (
    ACDCGAN,
    DPIG,
    DRGAN,
    SDBEGAN,
    SDGAN,
    ConditionalGAN,
    DPIGMaps,
    EncoderPairGAN,
    InfoGAN,
    StackedGAN,
    TablePairGAN,
)
from sdgan_tf.registry import register
from sdgan_tf.serving import from_pretrained
from sdgan_tf.serving import load as load_saved_model
from sdgan_tf.training import callbacks, load_run
from sdgan_tf.version import __version__

__all__ = [
    "ACDCGAN",
    "DPIG",
    "DPIGMaps",
    "DRGAN",
    "SDBEGAN",
    "SDGAN",
    "ConditionalGAN",
    "EncoderPairGAN",
    "InfoGAN",
    "LatentSpace",
    "Part",
    "StackedGAN",
    "TablePairGAN",
    "__version__",
    "callbacks",
    "data",
    "evaluation",
    "from_pretrained",
    "load_run",
    "load_saved_model",
    "models",
    "networks",
    "register",
    "serving",
]
