"""One image: every kind that is taken, and every kind that is refused."""

from __future__ import annotations

import io
import os

import numpy as np
import pytest
from PIL import Image, ImageFile

from sdgan_tf.data.decoding import BadImage, decode, decode_with_header, read_bytes

pytestmark = pytest.mark.once

RAMP = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
COLOURS = np.stack([RAMP, RAMP.T, 255 - RAMP], axis=-1)


def encoded(pixels, kind="PNG", mode=None, **options):
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    file = io.BytesIO()
    (image.convert(mode) if mode else image).save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "WEBP"])
def test_lossless_formats_keep_every_pixel(kind):
    contents = encoded(COLOURS, kind, **({"lossless": True} if kind == "WEBP" else {}))
    np.testing.assert_array_equal(decode(contents, 8), COLOURS)
    header, _ = decode_with_header(contents, "x", 8, 3, "crop", 64)
    assert header == (8, 8, "RGB", kind, (8, 8))


def test_jpeg_and_gif_come_close():
    flat = np.full((8, 8, 3), (200, 40, 90), np.uint8)
    for kind in ("JPEG", "GIF"):
        assert np.abs(decode(encoded(flat, kind), 8).astype(int) - flat).max() < 6


def test_contents_decide_and_not_the_name(tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(encoded(COLOURS, "JPEG"))
    assert decode(str(path), 8).shape == (8, 8, 3)
    path.write_bytes(b"Once upon a time")
    with pytest.raises(BadImage, match="not an image") as caught:
        decode(str(path), 8)
    assert caught.value.path == str(path)


@pytest.mark.parametrize("kind", ["TIFF", "EPS", "ICO", "PPM"])
def test_other_formats_are_never_opened(kind):
    with pytest.raises(BadImage, match="none of PNG, JPEG"):
        decode(encoded(COLOURS, kind), 8)


def test_grey_of_any_depth():
    np.testing.assert_array_equal(decode(encoded(RAMP), 8, channels=1)[..., 0], RAMP)
    np.testing.assert_array_equal(decode(encoded(RAMP), 8), np.repeat(RAMP[..., None], 3, axis=-1))
    bits = RAMP > 99
    np.testing.assert_array_equal(decode(encoded(bits), 8, channels=1)[..., 0], bits * 255)
    deep = RAMP.astype(np.uint16) * 257
    np.testing.assert_array_equal(decode(encoded(deep), 8, channels=1)[..., 0], RAMP)
    assert decode(encoded(deep), 8).shape == (8, 8, 3)


def test_colours_become_luminance():
    red = np.full((8, 8, 3), (255, 0, 0), np.uint8)
    for contents in (encoded(red), encoded(red, mode="P")):
        assert np.unique(decode(contents, 8, channels=1)) == [76]


def test_transparency_is_laid_on_white():
    rgba = np.zeros((8, 8, 4), np.uint8)
    rgba[:4, :, 3] = 255
    rgba[4:, :4, 3] = 128
    expected = np.repeat([0, 0, 0, 0, 127, 127, 127, 127], 8).reshape(8, 8)
    expected[4:, 4:] = 255
    for mode in ("RGBA", "LA"):
        for channels in (1, 3):
            pixels = decode(encoded(rgba, mode=mode), 8, channels)
            np.testing.assert_array_equal(pixels, np.repeat(expected[..., None], channels, -1))
    palette = Image.fromarray((RAMP > 99).astype(np.uint8), "L").convert("P")
    pixels = decode(encoded(palette, transparency=0), 8)
    assert (pixels[RAMP <= 99] == 255).all() and (pixels[RAMP > 99] < 9).all()


def test_cmyk():
    white = Image.new("CMYK", (8, 8), (0, 0, 0, 0))
    for channels in (1, 3):
        assert decode(encoded(white, "JPEG"), 8, channels).min() > 250


def test_exif_orientation_is_honoured():
    image = Image.fromarray(COLOURS)
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = decode(encoded(image, exif=exif), 8)
    np.testing.assert_array_equal(pixels, np.rot90(COLOURS, -1))


def test_animations_give_the_first_frame():
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    for kind in ("GIF", "PNG", "WEBP"):
        contents = encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=9)
        assert decode(contents, 8)[0, 0, 0] > 240


def test_crop_takes_the_middle():
    wide = np.concatenate(
        [np.zeros((8, 4, 3), np.uint8), COLOURS, np.zeros((8, 5, 3), np.uint8)], 1
    )
    np.testing.assert_array_equal(decode(encoded(wide), 8), COLOURS)
    tall = wide.transpose(1, 0, 2)
    np.testing.assert_array_equal(decode(encoded(tall), 8), COLOURS.transpose(1, 0, 2))


def test_pad_keeps_all_on_white():
    low = COLOURS[:4]
    pixels = decode(encoded(low), 8, fit="pad")
    np.testing.assert_array_equal(pixels[2:6], low)
    assert (pixels[:2] == 255).all() and (pixels[6:] == 255).all()
    assert decode(encoded(np.zeros((1, 900, 3), np.uint8)), 8, fit="pad").min() == 0


def test_shrinking_is_antialiased_and_enlarging_smooth():
    board = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)
    assert np.ptp(decode(encoded(board), 8, channels=1)[2:-2, 2:-2].astype(int)) < 16
    assert abs(int(decode(encoded(board), 8, channels=1)[4, 4, 0]) - 127) < 10
    large = decode(encoded(RAMP), 32, channels=1)[..., 0].astype(int)
    assert np.abs(np.diff(large, axis=1)).max() < 8


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP"])
def test_truncated_files_are_refused(kind):
    contents = encoded(np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8), kind)
    decode(contents, 8)
    for share in (0.02, 0.1, 0.5, 0.9):
        with pytest.raises(BadImage):
            decode(contents[: int(len(contents) * share)], 8)


def test_a_damaged_png_is_refused_wherever_the_damage_is():
    contents = encoded(COLOURS)
    # The last chunk says nothing but that it is the last.
    for position in range(8, contents.index(b"IEND") - 4):
        damaged = bytearray(contents)
        damaged[position] ^= 16
        with pytest.raises(BadImage):
            decode(bytes(damaged), 8)
        with pytest.raises(BadImage):
            decode(contents[:position], 8)


def test_too_many_pixels_are_refused_before_decoding(monkeypatch, png_that_claims):
    def never(*_):
        raise AssertionError("decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", never)
    with pytest.raises(BadImage, match="8000 x 8001 = 64,008,000 pixels, more than"):
        decode(png_that_claims(8000, 8001), 8)
    with pytest.raises(BadImage, match="10000000000 pixels"):
        decode(png_that_claims(100_000, 100_000), 8)
    with pytest.raises(BadImage, match="more than max_pixels=63"):
        decode(encoded(COLOURS), 8, max_pixels=63)


def test_more_pixels_than_pillow_allows_by_itself(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 30)
    np.testing.assert_array_equal(decode(encoded(COLOURS), 8, max_pixels=64), COLOURS)


def test_files_that_are_no_images(tmp_path):
    for name, make, reason in (
        ("missing.png", lambda path: None, "cannot be read: No such file"),
        ("empty.png", lambda path: path.touch(), "empty"),
        ("folder.png", lambda path: path.mkdir(), "not a regular file"),
        ("pipe.png", os.mkfifo, "not a regular file"),
        ("loop.png", lambda path: path.symlink_to(path), "cannot be read"),
    ):
        make(tmp_path / name)
        with pytest.raises(BadImage, match=reason):
            decode(str(tmp_path / name), 8)
    (tmp_path / "large.png").write_bytes(encoded(COLOURS))
    with pytest.raises(BadImage, match="more than the 50 allowed"):
        read_bytes(str(tmp_path / "large.png"), max_file_bytes=50)


@pytest.mark.parametrize("wrong", [{"image_size": 0}, {"channels": 2}, {"fit": "stretch"}])
def test_options_out_of_range(wrong):
    with pytest.raises(ValueError, match=f"Received: {next(iter(wrong))}="):
        decode(encoded(COLOURS), **{"image_size": 8, **wrong})
