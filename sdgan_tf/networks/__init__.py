"""Architectures, one family a file. They know nothing of losses or training."""

from sdgan_tf.networks.began import BEGANGenerator, SiameseAutoencoder
from sdgan_tf.networks.dcgan import DCGANGenerator, SiameseDCGANDiscriminator
from sdgan_tf.networks.embedder import Embedder, Regressor
from sdgan_tf.networks.identity import EncoderGenerator, TableGenerator

__all__ = [
    "BEGANGenerator",
    "DCGANGenerator",
    "Embedder",
    "EncoderGenerator",
    "Regressor",
    "SiameseAutoencoder",
    "SiameseDCGANDiscriminator",
    "TableGenerator",
]
