"""Kinds of hostile input: each makes a function that tries one case and says what it came to."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from tensorflow import keras

import sdgan_tf as sd
from sdgan_tf.cli import command, train
from sdgan_tf.data import decoding
from sdgan_tf.data.report import BadData
from sdgan_tf.evaluation.verifiers import VerifierError
from sdgan_tf.serving import ServingError
from sdgan_tf.training import CheckpointError, Checkpoints
from tests import tiny
from tests.campaigns.answering import answers, rpc_answers
from tests.campaigns.mutation import Try, altered, damaged
from tests.campaigns.visits import Refused, visits

MODES = {
    "PNG": ("L", "LA", "P", "RGB", "RGBA", "1", "I;16"),
    "JPEG": ("L", "RGB", "CMYK"),
    "BMP": ("L", "P", "RGB", "1"),
    "GIF": ("L", "P"),
    "WEBP": ("RGB", "RGBA"),
}


def picture(rng: np.random.Generator) -> tuple[bytes, str]:
    """A sound picture of any kind, and the extension of its file."""
    kind = str(rng.choice(list(MODES)))
    width, height = (int(size) for size in rng.integers(1, 40, 2))
    noise = Image.fromarray(rng.integers(0, 256, [height, width, 3], np.uint8))
    mode = str(rng.choice(MODES[kind]))
    if mode == "I;16":
        noise = Image.fromarray(rng.integers(0, 2**16, [height, width], np.uint16))
    else:
        noise = noise.convert(mode)
    options = {}
    if kind in ("GIF", "WEBP") and rng.random() < 0.3:
        options = {"save_all": True, "append_images": [noise.copy(), noise.copy()]}
    if kind in ("PNG", "JPEG", "WEBP") and rng.random() < 0.3:
        exif = Image.Exif()
        exif[0x0112] = int(rng.integers(0, 12))  # the orientation
        options["exif"] = exif
    file = io.BytesIO()
    noise.save(file, kind, **options)
    return file.getvalue(), f".{kind.lower()}"


def hostile_picture(rng: np.random.Generator) -> tuple[bytes, str]:
    """A picture that may be sound, damaged, a bomb, or nothing of the sort."""
    content, extension = picture(rng)
    kind = rng.integers(10)
    if kind == 0:
        return rng.bytes(int(rng.integers(200))), extension
    if kind == 1:
        return content, extension
    if kind == 2:  # a header that promises up to 4 billion pixels in either direction
        sizes = [int(2 ** rng.uniform(0, 32)) for _ in range(2)]
        header = b"IHDR" + b"".join(size.to_bytes(4, "big") for size in sizes) + b"\x08\2\0\0\0"
        check = zipfile.crc32(header).to_bytes(4, "big")
        start = b"\x89PNG\r\n\x1a\n\0\0\0\x0d"
        return start + header + check + content[33:], ".png"
    return damaged(content, rng), extension


def pictures(folder: Path) -> Try:
    def attempt(rng: np.random.Generator) -> str:
        channels, fit = int(rng.choice([1, 3])), str(rng.choice(decoding.FITS))
        image = decoding.decode(hostile_picture(rng)[0], 16, channels, fit)
        if image.shape != (16, 16, channels) or image.dtype != np.uint8:
            raise AssertionError(f"decoded to {image.dtype} {image.shape}")
        return "used"

    return attempt


def odd_name(rng: np.random.Generator) -> bytes:
    """A file name of any bytes."""
    name = bytes(
        rng.choice([byte for byte in range(1, 256) if byte != 47], rng.integers(1, 30)).tolist()
    )
    return name if name not in (b".", b"..") else b"dot"


def fill(folder: bytes, rng: np.random.Generator) -> int:
    """Fills a folder with pictures and all sorts of other things; returns how many pictures there are."""
    put = 0
    for _ in range(rng.integers(1, 6)):
        path = os.path.join(folder, odd_name(rng).lstrip(b"."))
        kind = rng.integers(8)
        try:
            if kind <= 3:
                content, extension = hostile_picture(rng)
                path += extension.encode()
                with open(path, "xb") as file:
                    file.write(content)
                put += not os.path.basename(path).startswith(b".")
            elif kind == 4:
                path += b".png"
                os.symlink(str(rng.choice(["/dev/zero", "nowhere", path.decode("latin-1")])), path)
                put += not os.path.basename(path).startswith(b".")
            elif kind == 5:
                path += b".jpg"
                os.mkfifo(path)
                put += not os.path.basename(path).startswith(b".")
            elif kind == 6:
                os.makedirs(os.path.join(path, b"deep"))
            else:
                open(path + b".txt", "xb").close()
        except (FileExistsError, IsADirectoryError):
            pass
    return put


def folders(folder: Path) -> Try:
    root = folder / "pictures"

    def attempt(rng: np.random.Generator) -> str:
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir()
        put = 0
        for _ in range(rng.integers(2, 6)):
            inside = os.path.join(os.fsencode(root), odd_name(rng).lstrip(b".") or b"a")
            if not os.path.lexists(inside):
                os.mkdir(inside)
                put += fill(inside, rng)
        link = os.path.join(os.fsencode(root), b"loop")
        if rng.random() < 0.3 and not os.path.lexists(link):
            os.symlink(b"loop", link)
        data = sd.data.from_directory(root, 16, on_bad_data="skip")
        listed = [path for path, _ in data.report.broken if path != "loop"]
        if int(data.counts.sum()) + len(listed) != put:
            raise AssertionError(f"{put} put in, {data.counts.sum()} used, {listed} listed")
        return "used, and the rest listed"

    return attempt


def flag_files(folder: Path) -> Try:
    path = folder / "flags.cfg"
    values = flags_of(train)
    presets = [file.read_text() for file in sorted(Path("flags").glob("*.cfg"))]
    # Sizes that would take more memory or time than there is are nobody's mistake but the asker's.
    odd = (
        "",
        "0",
        "-1",
        "1",
        "3",
        "nan",
        "inf",
        "1e9",
        "None",
        "true",
        "ä",
        "a=b",
        "--",
        "'",
        "gs://a/b",
        "\t",
        "2**3",
    )

    def attempt(rng: np.random.Generator) -> str:
        if rng.random() < 0.5:
            text = damaged(presets[rng.integers(len(presets))].encode(), rng)
        else:
            lines = [f"--{rng.choice(values)}={rng.choice(odd)}" for _ in range(rng.integers(1, 4))]
            text = "\n".join(lines).encode()
        path.write_bytes(text)
        sizes = (
            "--image_size=16",
            "--dim=2",
            "--drawn_identities=6",
            "--drawn_observations=2",
            "--batch_size=2",
        )
        status = command.call(
            train,
            ["train", f"--flagfile={path}", *sizes, "--dry_run", f"--run_dir={folder / 'run'}"],
        )
        if status not in (0, 1, 2):
            raise AssertionError(f"status {status} of {text!r}")
        return "refused" if status else "used"

    return attempt


def flags_of(module) -> list[str]:
    """The names of a command's flags."""
    from absl import flags

    defined = flags.FlagValues()
    module.define(defined)
    return sorted(set(defined) - {"data_dir", "verifier"})


def stores(folder: Path) -> Try:
    rng = np.random.default_rng(0)
    for identity in range(4):
        for number in range(2):
            pixels = rng.integers(0, 256, [16, 16, 3], np.uint8)
            place = folder / "pictures" / f"who-{identity}"
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(place / f"{number}.png")
    sd.data.build(folder / "pictures", folder / "built", 16)
    index = (folder / "built" / "index.json").read_bytes()
    images = (folder / "built" / "images.u8").read_bytes()

    def attempt(rng: np.random.Generator) -> str:
        kind, content = rng.integers(4), images
        if kind <= 1:
            text = json.dumps(altered(json.loads(index), rng)).encode()
        else:
            text = damaged(index, rng) if kind == 2 else index
            content = damaged(images, rng)
        (folder / "built" / "index.json").write_bytes(text)
        (folder / "built" / "images.u8").write_bytes(content)
        data = sd.data.from_built(folder / "built")
        next(iter(data.tuples(k=1, batch_size=4)))
        report = sd.data.check(folder / "built")
        return "used, checksums agree" if report.clean else "used, change found by bin/data check"

    return attempt


def records(folder: Path) -> Try:
    sd.data.to_tfrecord(tiny.people(size=16), folder / "records")
    files = {path: path.read_bytes() for path in (folder / "records").iterdir()}

    def attempt(rng: np.random.Generator) -> str:
        for path, content in files.items():
            path.write_bytes(content)
        path = list(files)[rng.integers(len(files))]
        path.write_bytes(damaged(files[path], rng))
        data = sd.data.from_tfrecord(folder / "records", image_size=16, on_bad_data="skip")
        return "used, with some listed" if data.report.broken else "used"

    return attempt


def checkpoints(folder: Path) -> Try:
    model = tiny.model(**tiny.MODERN)
    kept = Checkpoints(folder)
    whole = kept.save(model).read_bytes()
    state = tiny.values(model)

    def attempt(rng: np.random.Generator) -> str:
        kept.path(0).write_bytes(damaged(whole, rng))
        kept.load(model, 0)
        for name, value in tiny.values(model).items():
            if not np.array_equal(value, state[name], equal_nan=True):
                raise AssertionError(f"{name} is another one, and nobody noticed")
        return "used, nothing of it was hit"

    return attempt


def saved_models(folder: Path) -> Try:
    path = tiny.model().export(folder / "faces" / "1")
    files = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}

    def attempt(rng: np.random.Generator) -> str:
        for file, content in files.items():
            file.write_bytes(content)
        file = list(files)[rng.integers(len(files))]
        file.write_bytes(damaged(files[file], rng))
        sd.load_saved_model(path).generate(1, 1)
        return "used"

    return attempt


def verifiers(folder: Path) -> Try:
    network = keras.Sequential(
        [keras.layers.Input([8, 8, 3]), keras.layers.Flatten(), keras.layers.Dense(3)]
    )
    path = folder / "eye.keras"
    network.save(path)
    whole = path.read_bytes()

    def attempt(rng: np.random.Generator) -> str:
        path.write_bytes(damaged(whole, rng))
        sd.evaluation.load_verifier(path).embed(np.zeros([2, 8, 8, 3], np.uint8))
        return "used"

    return attempt


class Kind(NamedTuple):
    """How cases of a kind are tried, how a case is refused, how many the short form has, and how many one process tries."""

    maker: Callable[[Path], Try]
    expected: tuple[type[Exception], ...]
    count: int
    portion: int = 100


KINDS = {
    "pictures": Kind(pictures, (decoding.BadImage,), 100),
    "folders": Kind(folders, (ValueError, BadData), 20),
    "flag files": Kind(flag_files, (), 4),
    "stores": Kind(stores, (ValueError,), 20),
    "records": Kind(records, (ValueError, BadData), 20),
    "checkpoints": Kind(checkpoints, (CheckpointError,), 20),
    "verifiers": Kind(verifiers, (VerifierError,), 5),
    # What TensorFlow keeps of every SavedModel that a process has loaded, tens of megabytes, is not asked here.
    "saved models": Kind(saved_models, (ValueError,), 2, 20),
    "answers": Kind(answers, (ServingError,), 20),
}
if importlib.util.find_spec("tensorflow_serving"):
    KINDS["gRPC answers"] = Kind(rpc_answers, (ServingError,), 20)
if importlib.util.find_spec("gradio"):
    KINDS["visits"] = Kind(visits, (Refused,), 20)
