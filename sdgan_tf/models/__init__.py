"""keras.Model subclasses, one algorithm a file."""

from sdgan_tf.models.acgan import ACDCGAN
from sdgan_tf.models.base import AdversarialModel
from sdgan_tf.models.drgan import DRGAN
from sdgan_tf.models.pairwise import EncoderPairGAN, TablePairGAN
from sdgan_tf.models.renderer import Renderer, seeds_of
from sdgan_tf.models.sdbegan import SDBEGAN
from sdgan_tf.models.sdgan import SDGAN

__all__ = [
    "ACDCGAN",
    "DRGAN",
    "SDBEGAN",
    "SDGAN",
    "AdversarialModel",
    "EncoderPairGAN",
    "Renderer",
    "TablePairGAN",
    "seeds_of",
]
