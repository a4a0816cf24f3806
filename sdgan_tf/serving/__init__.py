"""SavedModels and how they are served."""

from sdgan_tf.serving.export import export, next_version

__all__ = ["export", "next_version"]
