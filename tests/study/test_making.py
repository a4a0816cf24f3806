"""Drawing a study: what is asked, what the page tells and what it does not."""

from __future__ import annotations

import base64
import json
import re

import numpy as np
import pytest
import tensorflow as tf

from sdgan_tf import study
from sdgan_tf.data import IdentityData
from sdgan_tf.study import read_key
from tests import tiny

pytestmark = pytest.mark.once


def shades(identities, observations, first):
    """Return people whose images are all different and say by their grey what they are."""
    values = first + np.arange(identities * observations, dtype=np.uint8)
    images = np.broadcast_to(values[:, None, None, None], (len(values), 2, 2, 3)).copy()
    names = [f"p{i}" for i in range(identities)]
    return IdentityData(names, [observations] * identities, images)


def make(source, real, **options):
    """Draw a study whose real people are all unseen."""
    return study.make(source, real.split(0, 1), **options)


def shown(made):
    """Return what the page holds."""
    return json.loads(re.search(r'id="study">(.*?)</script>', made.page).group(1))


def value(uri):
    """Return the grey of an image of the page."""
    png = base64.b64decode(uri.split(",")[1])
    return int(tf.io.decode_png(png)[0, 0, 0])


def test_four_kinds_of_pairs_are_equally_many_and_the_key_is_true():
    real, generated = shades(12, 4, first=0), shades(12, 4, first=100)
    made = make(generated, real, pairs=24, seed=5)
    truth = made.key["pairs"]
    kinds = [(pair["source"], pair["same"]) for pair in truth]
    for kind in [(source, same) for source in ("real", "generated") for same in (True, False)]:
        assert kinds.count(kind) == 6
    used = []
    for pair, row in zip(shown(made)["pairs"], truth):
        greys = np.array([value(pair["left"]), value(pair["right"])])
        who = greys % 100 // 4
        assert pair["id"] == row["pair"]
        assert set(greys // 100) == {int(row["source"] == "generated")}
        assert (who[0] == who[1]) == row["same"]
        assert sorted(who) == sorted(row["groups"])
        used += greys.tolist()
    assert len(set(used)) == len(used) == 48


def test_the_order_says_nothing_and_sides_are_drawn():
    made = make(shades(30, 4, 120), shades(30, 4, 0), pairs=60)
    kinds = [(pair["source"], pair["same"]) for pair in made.key["pairs"]]
    changes = sum(one != two for one, two in zip(kinds, kinds[1:]))
    assert changes > 30
    sides = [value(pair["left"]) < value(pair["right"]) for pair in shown(made)["pairs"]]
    assert 15 < sum(sides) < 45


def test_a_model_shows_each_image_once():
    model, real = tiny.model(), tiny.people(identities=8)
    made = make(model, real, pairs=16, seed=1)
    generated = {row["pair"] for row in made.key["pairs"] if row["source"] == "generated"}
    images = [
        pair[side]
        for pair in shown(made)["pairs"]
        if pair["id"] in generated
        for side in ("left", "right")
    ]
    assert len(images) == 16
    assert len(set(images)) == 16


def test_the_page_holds_no_truth_and_fetches_nothing():
    made = make(tiny.people(8, seed=1), tiny.people(8), pairs=16)
    content = shown(made)
    assert set(content) == {"id", "question", "pairs"}
    assert all(set(pair) == {"id", "left", "right"} for pair in content["pairs"])
    assert [pair["id"] for pair in content["pairs"]] == [f"{i:02d}" for i in range(1, 17)]
    outside = made.page.replace(json.dumps(content["pairs"]), "")
    for word in ("generated", "groups", "person-", "http:", "https:", "src=", "url("):
        assert word not in outside, word
    assert "default-src 'none'" in made.page


def test_a_question_cannot_break_the_page():
    question = '</script><b>"Same" & <!-- thing?'
    made = make(tiny.people(8, seed=1), tiny.people(8), pairs=4, question=question)
    assert shown(made)["question"] == question
    assert made.page.count("</script>") == 2


def test_a_study_is_named_after_what_it_shows():
    people = tiny.people(8, seed=1), tiny.people(8)
    first, again = (make(*people, pairs=8, seed=3) for _ in range(2))
    assert first == again
    others = (
        make(*people, pairs=8, seed=4),
        make(*people, pairs=8, seed=3, question="Same thing?"),
        make(*reversed(people), pairs=8, seed=3),
    )
    assert len({made.key["study"] for made in (first, *others)}) == 4


def test_it_is_saved_once_and_its_key_is_read_back(tmp_path):
    made = make(tiny.people(8, seed=1), tiny.people(8), pairs=8)
    folder = made.save(tmp_path / "study")
    assert (folder / "page.html").read_text(encoding="utf-8") == made.page
    key = read_key(folder / "key.json")
    assert key.study == made.key["study"] == shown(made)["id"]
    assert [bool(same) for same in key.same] == [row["same"] for row in made.key["pairs"]]
    assert list(key.sources) == [row["source"] for row in made.key["pairs"]]
    with pytest.raises(FileExistsError):
        made.save(folder)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pairs": 6}, "4, 8, 12 and so on. Received: pairs=6"),
        ({"pairs": 0}, "Received: pairs=0"),
        ({"question": " "}, "need a question. Received: ' '"),
        ({"pairs": 64}, "too few real matched pairs.* 12 different ones where 16 are needed"),
    ],
)
def test_what_makes_no_study_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make(tiny.people(40, seed=1), tiny.people(4), **options)


def test_images_of_two_sizes_would_tell_the_sources():
    with pytest.raises(
        ValueError, match="image_size=8, channels=3. Received: data of image_size=9"
    ):
        make(tiny.model(), tiny.people(8, size=9))


def test_images_come_again_where_there_are_too_few_but_pairs_never():
    made = make(shades(8, 4, 100), shades(2, 3, 0), pairs=12)
    greys = [
        {value(pair["left"]), value(pair["right"])}
        for pair, row in zip(shown(made)["pairs"], made.key["pairs"])
        if row["source"] == "real"
    ]
    assert len({frozenset(pair) for pair in greys}) == 6
