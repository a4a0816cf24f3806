"""Images out of trained models, and codes out of images."""

from sdgan_tf.generation.codes import PARTS, load_codes, save_codes
from sdgan_tf.generation.edits import save_inversion
from sdgan_tf.generation.films import check_film, frame_codes, save_film
from sdgan_tf.generation.folders import check_folder, save_folder
from sdgan_tf.generation.inversion import Inversion, Search, encode, invert

__all__ = [
    "PARTS",
    "Inversion",
    "Search",
    "check_film",
    "check_folder",
    "encode",
    "frame_codes",
    "invert",
    "load_codes",
    "save_codes",
    "save_film",
    "save_folder",
    "save_inversion",
]
