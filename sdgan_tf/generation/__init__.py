"""Pictures out of trained models."""

from sdgan_tf.generation.grids import save_png, tile

__all__ = ["save_png", "tile"]
