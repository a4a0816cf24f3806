"""Images by identity: from folders, TFRecords or code to matched tuples."""

from sdgan_tf.data.decoding import BadImage
from sdgan_tf.data.identity_data import IdentityData, Splits
from sdgan_tf.data.loading import drawn, from_directory, load
from sdgan_tf.data.memory import IdentityImages
from sdgan_tf.data.records import IdentityRecords, check_shards, from_tfrecord
from sdgan_tf.data.report import BadData, Report
from sdgan_tf.data.shards import build_shards

__all__ = [
    "BadData",
    "BadImage",
    "IdentityData",
    "IdentityImages",
    "IdentityRecords",
    "Report",
    "Splits",
    "build_shards",
    "check_shards",
    "drawn",
    "from_directory",
    "from_tfrecord",
    "load",
]
