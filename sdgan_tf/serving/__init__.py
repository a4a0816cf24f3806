"""SavedModels and how they are served."""

from sdgan_tf.serving.export import export, next_version
from sdgan_tf.serving.saved import ExportedModel, load

__all__ = ["ExportedModel", "export", "load", "next_version"]
