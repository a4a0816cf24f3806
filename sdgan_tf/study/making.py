"""Draws a study: blinded pairs in one page that is answered offline, and the key to it.

Four kinds of pairs are equally many: real and generated ones, of one identity and of two. The page
does not tell which is which; the key does, and stays with the researcher.
"""

from __future__ import annotations

import base64
import hashlib
import json
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from sdgan_tf.data import IdentityData, Splits
from sdgan_tf.evaluation import (
    Pairs,
    check_identities,
    check_source,
    generated_pairs,
    real_pairs,
)
from sdgan_tf.files import atomic_folder, local_path
from sdgan_tf.models import ImageModel

QUESTION = "Do both images show the same person?"
PAGE = "page.html"
KEY = "key.json"

# What takes the place of the study's data in the template of the page.
_PLACE = ">STUDY<"
# Real pairs are drawn with replacement: so many times as many are drawn that enough of them differ.
_CANDIDATES = 20


class Study(NamedTuple):
    """What `make` returns.

    Attributes:
        page: HTML, all that an annotator needs: images, question, code; never the truth.
        key: plain values, see `sdgan_tf.study.answers.Key`: which pair is what.
    """

    page: str
    key: dict[str, Any]

    def save(self, folder: str | Path) -> Path:
        """Writes `page.html` and `key.json` to a new folder.

        Raises:
            FileExistsError: there is something at `folder` already.
        """
        folder = local_path(folder)
        with atomic_folder(folder) as temporary:
            (temporary / PAGE).write_text(self.page, encoding="utf-8")
            (temporary / KEY).write_text(json.dumps(self.key, indent=1) + "\n", encoding="utf-8")
        return folder


def make(
    source: ImageModel | IdentityData,
    splits: Splits,
    pairs: int = 100,
    seed: int = 0,
    question: str = QUESTION,
) -> Study:
    """Draws a study.

    No pair occurs twice, and no image as far as there are enough of them.

    Args:
        source: a model, or generated tuples in a folder.
        splits: real identities, of which those of `test` are shown: the generator has not seen them.
        pairs: how many, a quarter of each kind.
        seed: of pairs, sides and order. Whoever knows it and the data can work out the key.
        question: what annotators are asked; "yes" means one identity.

    Raises:
        ValueError: pairs that have no quarter, too few images for them, images of two forms,
            no question.
    """
    if pairs < 4 or pairs % 4:
        raise ValueError(
            f"A quarter of the pairs is of each kind, so their number is 4, 8, 12 and so on. Received: pairs={pairs}"
        )
    if not question.strip():
        raise ValueError(f"Annotators need a question. Received: {question!r}")
    check_source(source, splits)
    check_identities(splits.test, "test")
    draw = _folder_pairs if isinstance(source, IdentityData) else generated_pairs
    real = _folder_pairs(splits.test, pairs, seed)
    drawn = {"real": real, "generated": draw(source, pairs, seed)}
    rows = [row for name, some in drawn.items() for row in _rows(name, some, pairs // 4)]

    rng = np.random.default_rng([seed, 6])
    rows = [rows[i] for i in rng.permutation(len(rows))]
    shown, truth = [], []
    for number, (name, same, positions) in enumerate(rows, 1):
        images, groups = drawn[name].images, drawn[name].groups
        left, right = rng.permutation(positions)
        pair = f"{number:0{len(str(pairs))}d}"
        shown.append({"id": pair, "left": _uri(images[left]), "right": _uri(images[right])})
        truth.append(dict(pair=pair, source=name, same=same, groups=groups[positions].tolist()))
    content = {"question": question, "pairs": shown}
    study = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]
    key = {"study": study, "question": question, "seed": seed, "pairs": truth}
    return Study(_page({"id": study, **content}), key)


def _folder_pairs(data: IdentityData, pairs: int, seed: int) -> Pairs:
    return real_pairs(data, _CANDIDATES * pairs, seed)


def _rows(name: str, drawn: Pairs, count: int) -> list[tuple[str, bool, list[int]]]:
    """Source, truth and positions of `count` matched and as many unmatched pairs."""
    used: set[int] = set()
    return [
        (name, same, pair)
        for same, candidates in ((True, drawn.matched), (False, drawn.unmatched))
        for pair in _different(candidates, count, used, f"{name} {'' if same else 'un'}matched")
    ]


def _different(candidates: np.ndarray, count: int, used: set[int], kind: str) -> list[list[int]]:
    """`count` pairs that differ, of images that are not in `used` as long as there are such."""
    # A dictionary: without repetitions, in the order drawn.
    different = list(dict.fromkeys(tuple(sorted(pair)) for pair in candidates.tolist()))
    chosen, others = [], []
    for pair in different:
        fresh = len(chosen) < count and used.isdisjoint(pair)
        (chosen if fresh else others).append(pair)
        used.update(pair if fresh else ())
    chosen += others[: count - len(chosen)]
    used.update(*chosen)
    if len(chosen) < count:
        raise ValueError(
            f"There are too few {kind} pairs: ask for fewer pairs, or keep more real identities for tests. "
            f"Received: {len(chosen)} different ones where {count} are needed"
        )
    return [list(pair) for pair in chosen]


def _uri(image: np.ndarray) -> str:
    # One encoder and no metadata, so that a file tells nothing of where its image comes from.
    png = tf.io.encode_png(image).numpy()
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _page(content: dict[str, Any]) -> str:
    template = resources.files(__package__).joinpath(PAGE).read_text(encoding="utf-8")
    # Otherwise a question could end the element that holds it.
    data = json.dumps(content).replace("<", "\\u003c")
    return template.replace(_PLACE, f">{data}<", 1)
