"""SavedModels and how they are served: export, loading, TF Serving."""

from sdgan_tf.serving import container, warmup
from sdgan_tf.serving.client import Client
from sdgan_tf.serving.errors import ServingError
from sdgan_tf.serving.export import batch_rows, export, next_version
from sdgan_tf.serving.saved import ExportedModel, from_pretrained, load

__all__ = [
    "Client",
    "ExportedModel",
    "ServingError",
    "batch_rows",
    "container",
    "export",
    "from_pretrained",
    "load",
    "next_version",
    "warmup",
]
