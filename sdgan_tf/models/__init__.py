"""keras.Model subclasses, one algorithm a file."""

from sdgan_tf.models.base import AdversarialModel
from sdgan_tf.models.conditional import (
    ACDCGAN,
    DRGAN,
    ConditionalGAN,
    EncoderPairGAN,
    TablePairGAN,
)
from sdgan_tf.models.dpig import DPIG
from sdgan_tf.models.dpig_maps import DPIGMaps
from sdgan_tf.models.image_model import ImageModel, seeds_of
from sdgan_tf.models.infogan import InfoGAN
from sdgan_tf.models.person_model import PersonModel
from sdgan_tf.models.sdbegan import SDBEGAN
from sdgan_tf.models.sdgan import SDGAN
from sdgan_tf.models.stacked import StackedGAN

__all__ = [
    "ACDCGAN",
    "DPIG",
    "DPIGMaps",
    "DRGAN",
    "SDBEGAN",
    "SDGAN",
    "AdversarialModel",
    "ConditionalGAN",
    "EncoderPairGAN",
    "ImageModel",
    "InfoGAN",
    "PersonModel",
    "StackedGAN",
    "TablePairGAN",
    "seeds_of",
]
