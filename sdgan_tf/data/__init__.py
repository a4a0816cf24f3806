"""Images by identity: from folders, TFRecords or code to matched tuples."""

from sdgan_tf.data.brought import from_arrays, from_dataset
from sdgan_tf.data.building import build
from sdgan_tf.data.built import from_built
from sdgan_tf.data.decoding import BadImage
from sdgan_tf.data.identity_data import IdentityData, Splits
from sdgan_tf.data.loading import check, drawn, from_directory, from_tfrecord, load
from sdgan_tf.data.report import BadData, Report
from sdgan_tf.data.tfrecord import to_tfrecord

__all__ = [
    "BadData",
    "BadImage",
    "IdentityData",
    "Report",
    "Splits",
    "build",
    "check",
    "drawn",
    "from_arrays",
    "from_built",
    "from_dataset",
    "from_directory",
    "from_tfrecord",
    "load",
    "to_tfrecord",
]
