"""keras.Model subclasses, one algorithm a file."""

from sdgan_tf.models.base import AdversarialModel
from sdgan_tf.models.renderer import Renderer
from sdgan_tf.models.sdbegan import SDBEGAN
from sdgan_tf.models.sdgan import SDGAN

__all__ = ["SDBEGAN", "SDGAN", "AdversarialModel", "Renderer"]
