"""Architectures, one family a file. They know nothing of losses or training."""

from sdgan_tf.networks.began import BEGANGenerator, SiameseAutoencoder
from sdgan_tf.networks.dcgan import DCGANGenerator, SiameseDCGANDiscriminator
from sdgan_tf.networks.dense import DenseCritic, PoseDecoder, ResidualDense
from sdgan_tf.networks.embedder import Embedder, Regressor
from sdgan_tf.networks.identity import IdentityEncoder, IdentityTable
from sdgan_tf.networks.infogan import (
    InfoGANDiscriminator,
    InfoGANGenerator,
    InfoGANRecogniser,
)
from sdgan_tf.networks.matcher import DenseMatcher
from sdgan_tf.networks.person import PersonEncoder, PersonGenerator
from sdgan_tf.networks.recogniser import DenseRecogniser
from sdgan_tf.networks.residual import ResidualDiscriminator, ResidualGenerator
from sdgan_tf.networks.sgan import (
    SGANDiscriminator,
    SGANEncoder,
    SGANFeatureDiscriminator,
    SGANFeatureGenerator,
    SGANGenerator,
)
from sdgan_tf.networks.siamese import SiameseDiscriminator

__all__ = [
    "BEGANGenerator",
    "DCGANGenerator",
    "DenseCritic",
    "DenseMatcher",
    "DenseRecogniser",
    "Embedder",
    "IdentityEncoder",
    "IdentityTable",
    "PersonEncoder",
    "PersonGenerator",
    "InfoGANDiscriminator",
    "InfoGANGenerator",
    "InfoGANRecogniser",
    "PoseDecoder",
    "Regressor",
    "ResidualDense",
    "ResidualDiscriminator",
    "ResidualGenerator",
    "SGANDiscriminator",
    "SGANEncoder",
    "SGANFeatureDiscriminator",
    "SGANFeatureGenerator",
    "SGANGenerator",
    "SiameseAutoencoder",
    "SiameseDCGANDiscriminator",
    "SiameseDiscriminator",
]
