"""Writes keypoints and masks beside pictures of game characters, so that `dpig` can learn from them.

  .venv/bin/python examples/sprites_keypoints.py DIR

DIR has a sub-folder for each character with its poses as `walkfront1.png` and so on: those of the Liberated Pixel Cup, 64
pixels high and wide, on white. All characters have one skeleton, so a table of the poses, found by eye, serves them all.
Beside `walkfront1.png` come `walkfront1.json` and `walkfront1.mask.png`; older ones are replaced. Then:

  bin/data check DIR --keypoints
  bin/train --flagfile=flags/dpig_small.cfg --data_dir=DIR --nodrawn_bodies --run_dir=runs/dpig_sprites
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

import numpy as np
from PIL import Image, ImageDraw

from sdgan_tf.data import BadImage, decoding, keypoints
from sdgan_tf.files import atomic_file, write_json

Points = list[Optional[tuple[float, float]]]

# Height and width of the pictures that the table is of.
SIZE = 64

# Row and column of each keypoint of `keypoints.NAMES`: a line for nose and neck, one for the right and the left arm from the
# shoulder, one for the right and the left leg from the hip, one for right eye, left eye, right ear and left ear. Right is the
# character's own right; what is hidden by the body has None. Hair and clothes, which differ, hide nothing here. The poses that
# face left are not in the table, since they are the mirror images of those that face right.
# fmt: off
POSES: dict[str, Points] = {
    "walkfront1": [
        (32, 31.5), (36, 31.5),
        (35, 22), (40, 19), (46, 20), (35, 41), (40, 44), (46, 43),
        (47, 27), (52, 27), (57, 26.5), (47, 36), (52, 36.5), (57, 37.5),
        (30, 27.5), (30, 35.5), (28, 22.5), (28, 40.5)],
    "walkfront4": [
        (32, 31.5), (36, 31.5),
        (35, 22), (41, 19), (47, 20), (35, 41), (40, 44), (44.5, 43.5),
        (47, 27), (51.5, 27), (56, 26.5), (47, 36), (53, 37), (58, 38),
        (30, 27.5), (30, 35.5), (28, 22.5), (28, 40.5)],
    "spellfront1": [
        (32.5, 31.5), (36.5, 31.5),
        (35.5, 22), (40.5, 19.5), (44.5, 21.5), (35.5, 41), (40.5, 43.5), (44.5, 41.5),
        (47, 27), (52, 25.5), (57, 24), (47, 36), (52, 37.5), (57, 39.5),
        (30.5, 27.5), (30.5, 35.5), (28.5, 22.5), (28.5, 40.5)],
    "spellfront4": [
        (32.5, 31.5), (36.5, 31.5),
        (35.5, 23), (35.5, 17), (35, 11), (35.5, 40), (35.5, 46), (35, 52),
        (47, 27), (52, 25.5), (57, 24), (47, 36), (52, 37.5), (57, 39.5),
        (30.5, 27.5), (30.5, 35.5), (28.5, 22.5), (28.5, 40.5)],
    "slashfront1": [
        (32, 31.5), (36, 31.5),
        (35, 22.5), (41, 21), (46, 21), (35, 40.5), (41, 42), (45.5, 38.5),
        (47, 27), (52, 25.5), (57, 24.5), (47, 36), (52, 38), (57, 40.5),
        (30, 27.5), (30, 35.5), (28, 22.5), (28, 40.5)],
    "slashfront4": [
        (32, 34.5), (36, 34.5),
        (35, 26), (41, 24), (46, 24), (35, 43.5), (39, 46.5), (41.5, 50),
        (47, 29.5), (52, 28), (57, 25.5), (47, 39), (52, 40), (57, 40.5),
        (30, 30.5), (30, 38.5), (28, 25.5), (28, 43.5)],
    "walkback1": [
        None, (35.5, 31.5),
        (34, 41), (40, 44), (45, 43), (34, 22), (40, 19), (45, 20),
        (46.5, 36), (52, 36.5), (56, 37), (46.5, 27), (52, 27), (56, 26.5),
        None, None, (27.5, 40.5), (27.5, 22.5)],
    "walkback4": [
        None, (35.5, 31.5),
        (34, 41), (39.5, 44), (44, 43), (34, 22), (40.5, 19), (46, 20.5),
        (46.5, 36), (52, 36.5), (57, 37.5), (46.5, 27), (51.5, 26.5), (55.5, 26.5),
        None, None, (27.5, 40.5), (27.5, 22.5)],
    "spellback1": [
        None, (36.5, 31.5),
        (35.5, 41), (40, 43.5), (44.5, 43), (35.5, 22), (40, 19.5), (44.5, 20.5),
        (47, 36), (52, 37.5), (57, 39.5), (47, 27), (52, 25.5), (57, 24),
        None, None, (28.5, 40.5), (28.5, 22.5)],
    "spellback4": [
        None, (36.5, 31.5),
        (36.5, 40), (36.5, 46), (36, 52), (36.5, 23), (36.5, 17), (36, 11),
        (47, 36), (52, 37.5), (57, 39.5), (47, 27), (52, 25.5), (57, 24),
        None, None, (28.5, 40.5), (28.5, 22.5)],
    "slashback1": [
        None, (36.5, 31.5),
        (35.5, 41), (42, 42.5), None, (35.5, 22.5), (41, 21), (46.5, 22),
        (47, 36), (52, 38.5), (57.5, 40.5), (47, 27), (52, 26), (57, 24.5),
        None, None, (28.5, 40.5), (28.5, 22.5)],
    "slashback4": [
        None, (36, 34),
        (36, 43), (37, 47), (34, 49), (35.5, 24.5), (41, 22), (46, 21),
        (47, 38.5), (52, 40), (57.5, 41), (47, 29.5), (52, 27), (57, 24.5),
        None, None, (28, 43.5), (28, 25)],
    "walkright1": [
        (32.5, 38.5), (36, 31.5),
        (35.5, 26), (41, 23.5), (46.5, 29), None, None, None,
        (48, 29.5), (52.5, 27), (56.5, 23.5), (48, 34), (52.5, 36.5), (56.5, 38),
        (31, 34), None, (29, 26.5), None],
    "walkright4": [
        (31.5, 38.5), (35.5, 31.5),
        (35.5, 25.5), (41, 22), (46, 21), None, None, (45.5, 40),
        (47.5, 31.5), (52.5, 34.5), (57, 34.5), (47.5, 31), (53, 28.5), (57, 27),
        (30, 34), None, (28.5, 26.5), None],
    "spellright1": [
        (32, 38.5), (36, 31),
        (35.5, 26), (42, 22), (45.5, 27), None, None, (44.5, 41),
        (48, 29), (52.5, 28), (57, 27), (48, 34), (52, 34.5), (56, 35),
        (30.5, 33.5), None, (28.5, 26), None],
    "spellright4": [
        (32, 38.5), (36, 31),
        (36.5, 27), (37, 22.5), (37.5, 18.5), None, None, (38, 42.5),
        (48, 29), (52.5, 28), (57, 27), (48, 34), (52, 34.5), (56, 35),
        (30.5, 34), None, (28.5, 26), None],
    "slashright1": [
        (33.5, 40), (37.5, 33),
        (37, 27.5), (43, 25), (48, 25), None, None, (47.5, 43.5),
        (49, 31), (53, 29.5), (57.5, 27.5), (49, 36), (52.5, 36.5), (56, 37),
        (32, 36), None, (30, 28.5), None],
    "slashright4": [
        (31.5, 42.5), (36, 35),
        (36.5, 29), (41.5, 25.5), (46, 23.5), None, (36.5, 47), (34.5, 50.5),
        (48, 32), (52.5, 29.5), (57.5, 27.5), (48, 38), (52.5, 38), (56, 37.5),
        (30, 38), None, (28.5, 29.5), None],
}
# fmt: on

# A pixel of each patch of background that is shut in by arms or legs, row and column.
GAPS: dict[str, list[tuple[int, int]]] = {
    "walkfront1": [(43, 22), (43, 41)],
    "walkfront4": [(44, 22), (43, 40)],
    "walkback1": [(42, 22), (42, 41)],
    "walkback4": [(43, 22), (42, 40)],
    "slashback4": [(44, 24)],
    "walkright4": [(45, 24)],
    "spellright1": [(56, 31)],
    "spellright4": [(56, 31)],
    "slashright1": [(57, 33)],
    "slashright4": [(57, 33)],
}


def _mirrored(points: Points) -> Points:
    """The mirror image, in which what was right is left."""
    other = {"right": "left", "left": "right"}
    by_name = dict(zip(keypoints.NAMES, points))
    mirrored: Points = []
    for name in keypoints.NAMES:
        side, _, part = name.partition("_")
        point = by_name[f"{other[side]}_{part}" if part else name]
        mirrored.append(point and (point[0], SIZE - 1 - point[1]))
    return mirrored


for _pose in [pose for pose in POSES if "right" in pose]:
    _twin = _pose.replace("right", "left")
    POSES[_twin] = _mirrored(POSES[_pose])
    GAPS[_twin] = [(row, SIZE - 1 - column) for row, column in GAPS.get(_pose, [])]


def triples(pose: str) -> list[list[float]]:
    """Row, column and visible of each keypoint of a pose, as a file of keypoints has them."""
    return [[*point, 1] if point else [0, 0, 0] for point in POSES[pose]]


def mask_of(path: Path, pose: str) -> np.ndarray:
    """Where the character is: all but the white around it and in the gaps; white clothes are its own.

    Args:
        path: of the picture.
        pose: its pose.

    Returns:
        bool `[SIZE, SIZE]`.

    Raises:
        BadImage: it cannot be decoded, is of another size, or has no white around the character.
    """
    header, image = decoding.decode_with_header(
        decoding.read_bytes(str(path)), str(path), SIZE, 3, "crop", decoding.MAX_PIXELS
    )
    if header.upright != (SIZE, SIZE):
        width, height = header.upright
        raise BadImage(
            str(path),
            f"it has {width}x{height} pixels, and the table of keypoints is for {SIZE}x{SIZE}. Cut single poses of that "
            "size out of the sheet, or move the picture elsewhere",
        )
    white = np.all(image == 255, axis=-1)
    # The ring joins the white between the feet, which reach the lowest row, to the rest.
    ring = np.pad(white, 1, constant_values=True)
    # A copy, since the array's own memory is not for drawing.
    canvas = Image.fromarray(ring.astype(np.uint8)).copy()
    for row, column in [(-1, -1), *GAPS.get(pose, [])]:
        # In some clothes the gap is filled.
        if ring[row + 1, column + 1]:
            ImageDraw.floodfill(canvas, (column + 1, row + 1), 2)
    mask = np.asarray(canvas)[1:-1, 1:-1] != 2
    if mask.all() or not mask.any():
        raise BadImage(
            str(path),
            f"{'all' if mask.all() else 'none'} of it would be the character, which is expected on pure white, (255, 255, 255). "
            "Lay it on white, or make what is around it transparent",
        )
    return mask


def main(words: Sequence[str]) -> None:
    """Writes the files and says how many.

    Args:
        words: of the command line, without the name of the script.

    Raises:
        ValueError: there is no such folder, or no picture of a known pose in it.
        BadImage: a picture is not as expected; then nothing was written.
    """
    if len(words) != 1:
        raise ValueError(
            f"One folder is expected, and {len(words)} words came: {' '.join(words) or 'none'}. "
            "Write `.venv/bin/python examples/sprites_keypoints.py DIR`."
        )
    folder = Path(words[0])
    if not folder.is_dir():
        raise ValueError(
            f"{folder} is no folder. One is expected that has a sub-folder of pictures for each character: mend the path."
        )
    pictures = [
        path
        for path in sorted(folder.glob("*/*.png"))
        if not path.name.endswith(keypoints.MASK_ENDING)
    ]
    known = [path for path in pictures if path.stem in POSES]
    if not known:
        raise ValueError(
            f"In the sub-folders of {folder} there are {len(pictures)} PNG files, none with the name of a pose. Expected are names "
            f"such as CHARACTER/{next(iter(POSES))}.png: rename the files, or name the folder above those of the characters. "
            f"The poses are {', '.join(sorted(POSES))}."
        )
    masks = {path: mask_of(path, path.stem) for path in known}
    for path, mask in masks.items():
        points_file, mask_file = keypoints.files_of(str(path))
        with atomic_file(Path(mask_file)) as file:
            Image.fromarray(mask.astype(np.uint8) * 255).save(file, "PNG")
        write_json(Path(points_file), {"keypoints": triples(path.stem)})
    print(
        f"Wrote keypoints and masks of {len(known)} pictures; left {len(pictures) - len(known)} other PNG files alone."
    )


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (ValueError, OSError) as error:
        sys.exit(str(error))
