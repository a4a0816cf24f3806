"""One image: from the bytes of an untrusted file to a square of uint8."""

from __future__ import annotations

import io
import os
import stat
from typing import NamedTuple

import numpy as np

from sdgan_tf.images import MAX_PIXELS

# Contents decide, not names, and only these decoders ever see a file's bytes: Pillow knows dozens
# of other formats, one of which runs an interpreter (EPS).
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")
EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")
FITS = ("crop", "pad")
MAX_FILE_BYTES = 256 * 2**20


class BadImage(ValueError):
    """A file that is not a usable image.

    Attributes:
        path: the file.
        reason: what is wrong with it, in words.
    """

    def __init__(self, path: str, reason: str):
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class Header(NamedTuple):
    """What an image's header says, before anything is decoded.

    Attributes:
        width: in pixels.
        height: in pixels.
        mode: of Pillow.
        format: of the file.
        upright: width and height of the image as it is seen, once it is decoded.
    """

    width: int
    height: int
    mode: str
    format: str
    upright: tuple[int, int] = (0, 0)


class Placement(NamedTuple):
    """How an upright image lies in its square.

    Attributes:
        box: what of it is kept, in its own pixels: left, top, right, bottom.
        inner: width and height to which that is resized.
        corner: column and row of the square at which it begins.
    """

    box: tuple[int, int, int, int]
    inner: tuple[int, int]
    corner: tuple[int, int]


def read_bytes(path: str, max_file_bytes: int = MAX_FILE_BYTES) -> bytes:
    """Reads a file that should hold an image.

    Args:
        path: the file.
        max_file_bytes: a larger file is refused unread.

    Returns:
        Its contents.

    Raises:
        BadImage: it is not a regular file, too large, empty or cannot be read.
    """
    try:
        status = os.stat(path)
        # Opening a pipe would wait for ever.
        if not stat.S_ISREG(status.st_mode):
            raise BadImage(path, "not a regular file")
        if status.st_size > max_file_bytes:
            raise BadImage(
                path, f"{status.st_size:,} bytes, more than the {max_file_bytes:,} allowed"
            )
        with open(path, "rb") as file:
            contents = file.read(max_file_bytes)
    except OSError as error:
        raise BadImage(path, f"cannot be read: {error.strerror or error}") from error
    if not contents:
        raise BadImage(path, "the file is empty")
    return contents


def decode(
    contents: str | bytes,
    image_size: int,
    channels: int = 3,
    fit: str = "crop",
    max_pixels: int = MAX_PIXELS,
    path: str | None = None,
) -> np.ndarray:
    """Decodes an image to a square of the given size.

    The EXIF orientation is honoured, an animation gives its first frame, transparency is laid on
    white. A square image that already has the size keeps its pixels untouched.

    Args:
        contents: the file's path or its bytes.
        image_size: height and width of the result.
        channels: 1 for luminance, 3 for red, green and blue.
        fit: `"crop"` takes the square in the middle, `"pad"` keeps the whole image on white.
        max_pixels: an image with more is refused before it is decoded.
        path: the name to use in errors when `contents` are bytes.

    Returns:
        uint8 `[image_size, image_size, channels]`, 0 to 255.

    Raises:
        BadImage: the file is damaged, too large, or no image.
        ValueError: an argument is out of range.
    """
    check_options(image_size, channels, fit)
    contents, path = _contents(contents, path)
    return decode_with_header(contents, path, image_size, channels, fit, max_pixels)[1]


def decode_mask(
    contents: bytes, path: str, size: tuple[int, int], image_size: int, fit: str
) -> np.ndarray:
    """Decodes the mask of an image so that it lies in the square as the image does.

    Args:
        contents: of its file.
        path: of its file, for errors.
        size: width and height of the upright image, which the mask must have.
        image_size: height and width of the result.
        fit: `"crop"` or `"pad"`, as for the image; what is padded is no person.

    Returns:
        uint8 `[image_size, image_size, 1]`, 1 where at least half of a pixel is white, else 0.

    Raises:
        BadImage: it is damaged or of another size than the image.
    """
    from PIL import Image

    with _open(contents, path) as mask:
        try:
            if mask.size != size:
                raise ValueError(f"it has {mask.size} pixels, the image {size}")
            mask = _upright(mask, 1)
        except Exception as error:
            raise BadImage(path, f"no mask of the image: {_words(error)}") from error
    where = place(*size, image_size, fit)
    mask = mask.resize(where.inner, Image.Resampling.BOX, box=where.box)
    canvas = Image.new("L", (image_size, image_size))
    canvas.paste(mask, where.corner)
    return (np.asarray(canvas)[..., np.newaxis] >= 128).astype(np.uint8)


def check_options(image_size: int, channels: int, fit: str) -> None:
    """Raises a `ValueError` unless `decode` takes these arguments."""
    if image_size < 1:
        raise ValueError(f"`image_size` must be 1 or more. Received: image_size={image_size}")
    if channels not in (1, 3):
        raise ValueError(f"`channels` must be 1 or 3. Received: channels={channels}")
    if fit not in FITS:
        raise ValueError(f"`fit` must be one of {', '.join(FITS)}. Received: fit={fit!r}")


def decode_with_header(
    contents: bytes, path: str, image_size: int, channels: int, fit: str, max_pixels: int
) -> tuple[Header, np.ndarray]:
    """The header of an image and the image as by `decode`, for arguments that are known to be good."""
    from PIL import Image

    # Pillow has a limit of its own; whoever asks for more pixels has thought of it.
    if Image.MAX_IMAGE_PIXELS is not None and max_pixels > Image.MAX_IMAGE_PIXELS:
        Image.MAX_IMAGE_PIXELS = max_pixels
    with _open(contents, path) as image:
        header = Header(*image.size, image.mode, image.format)
        pixels = header.width * header.height
        if pixels > max_pixels:
            raise BadImage(
                path,
                f"{header.width} x {header.height} = {pixels:,} pixels, "
                f"more than max_pixels={max_pixels:,}",
            )
        try:
            if header.format == "PNG":
                # Decoding skips the checksums of a PNG and may end before its last chunks.
                with _open(contents, path) as copy:
                    copy.verify()
            image = _upright(image, channels)
            header = header._replace(upright=image.size)
            image = _resize(image, image_size, fit)
        # The decoders raise all kinds of errors on damaged files, from OSError to SyntaxError.
        except Exception as error:
            raise BadImage(path, f"cannot be decoded: {_words(error)}") from error
    return header, np.asarray(image, np.uint8).reshape(image_size, image_size, channels)


def place(width: int, height: int, size: int, fit: str) -> Placement:
    """How an upright image lies in a square of edge `size`."""
    side = min(width, height) if fit == "crop" else max(width, height)
    if fit == "crop":
        left, top = (width - side) // 2, (height - side) // 2
        return Placement((left, top, left + side, top + side), (size, size), (0, 0))
    inner = (max(1, round(width * size / side)), max(1, round(height * size / side)))
    corner = ((size - inner[0]) // 2, (size - inner[1]) // 2)
    return Placement((0, 0, width, height), inner, corner)


def square(
    pixels: np.ndarray, path: str, image_size: int, channels: int, fit: str
) -> tuple[Header, np.ndarray]:
    """The header and the square, as by `decode`, of an image that is decoded already.

    Args:
        pixels: uint8 `[h, w]`, or `[h, w, 1, 3 or 4]` of luminance, colours, or colours and opacity, 0 to 255.
        path: the name to use in errors.
        image_size: see `decode`.
        channels: see `decode`.
        fit: see `decode`.

    Raises:
        BadImage: these are not such pixels.
    """
    from PIL import Image

    pixels = np.asarray(pixels)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    colours = pixels.ndim == 3 and pixels.shape[2] in (3, 4)
    if pixels.dtype != np.uint8 or not (pixels.ndim == 2 or colours) or not pixels.size:
        raise BadImage(
            path,
            f"an image is uint8 [height, width, 1, 3 or 4], 0 to 255, not {pixels.dtype} {list(pixels.shape)}",
        )
    image = Image.fromarray(pixels)
    header = Header(*image.size, image.mode, "array")
    made = _resize(_upright(image, channels), image_size, fit)
    return header, np.asarray(made, np.uint8).reshape(image_size, image_size, channels)


def _contents(contents: str | bytes, path: str | None) -> tuple[bytes, str]:
    if isinstance(contents, bytes):
        return contents, path or "<bytes>"
    return read_bytes(os.fspath(contents)), os.fspath(contents)


def _open(contents: bytes, path: str):
    # Imported here: who only reads TFRecords or drawn people never needs Pillow.
    from PIL import Image

    try:
        return Image.open(io.BytesIO(contents), formats=FORMATS)
    except Image.UnidentifiedImageError as error:
        formats = ", ".join(FORMATS)
        raise BadImage(path, f"not an image: its contents are none of {formats}") from error
    except Exception as error:
        raise BadImage(path, f"its header cannot be read: {_words(error)}") from error


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__


def _upright(image, channels: int):
    """Decodes, turns as EXIF says, and converts to mode L or RGB."""
    from PIL import Image, ImageOps

    image.load()
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):
        # 16 bits of grey. The high byte, as Pillow itself does with 16 bits of colour.
        grey = np.clip(np.asarray(image).astype(np.int64), 0, 65535) >> 8
        image = Image.fromarray(grey.astype(np.uint8))
    elif image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, image).convert("RGB")
    if image.mode in ("P", "CMYK", "YCbCr") and channels == 1:
        image = image.convert("RGB")
    return image.convert("L" if channels == 1 else "RGB")


def _resize(image, size: int, fit: str):
    from PIL import Image

    width, height = image.size
    if (width, height) == (size, size):
        return image
    where = place(width, height, size, fit)
    # Lanczos rings least where detail is lost, bicubic where none is there to begin with.
    side = max(where.box[2] - where.box[0], where.box[3] - where.box[1])
    resample = Image.Resampling.LANCZOS if side > size else Image.Resampling.BICUBIC
    if fit == "crop":
        return image.resize(where.inner, resample, box=where.box)
    if where.inner != (width, height):
        image = image.resize(where.inner, resample)
    canvas = Image.new(image.mode, (size, size), "white")
    canvas.paste(image, where.corner)
    return canvas
