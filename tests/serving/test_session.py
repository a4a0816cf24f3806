"""An export as TF Serving runs it: a session, requests merged and split, JSON, bad input."""

from __future__ import annotations

import json

import numpy as np
import pytest
import servers
import tensorflow as tf

SIGNATURES = ("serving_default", "generate_png", "sample", "score")


def test_every_signature_answers_as_the_model_does(answers, model, requests):
    asked = requests(5)
    codes = np.concatenate(list(asked["serving_default"].values()), axis=1)
    images = model.render(codes)
    answer = answers.run("serving_default", asked["serving_default"])
    np.testing.assert_array_equal(answer["images"], images)
    pngs = answers.run("generate_png", asked["generate_png"])["image_bytes"]
    np.testing.assert_array_equal([tf.io.decode_png(png).numpy() for png in pngs], images)
    answer = answers.run("sample", asked["sample"])
    identity = model.identity_codes(asked["sample"]["identity_seed"]).numpy()
    observation = model.observation_codes(asked["sample"]["observation_seed"]).numpy()
    np.testing.assert_array_equal(answer["identity"], identity)
    np.testing.assert_array_equal(answer["observation"], observation)
    codes = np.concatenate([identity, observation], axis=1)
    np.testing.assert_array_equal(answer["images"], model.render(codes))
    scores = answers.run("score", asked["score"])["score"]
    # As a graph, which is what is exported: op by op the last bits differ.
    np.testing.assert_array_equal(scores, tf.function(model.score)(asked["score"]["images"]))


@pytest.mark.parametrize("name", SIGNATURES)
def test_merged_and_split_requests_get_the_same_answers(answers, requests, name):
    asked = requests(13)[name]
    whole = answers.run(name, asked)
    edges = [0, 1, 3, 8, 13]
    parts = [
        answers.run(name, {key: value[start:end] for key, value in asked.items()})
        for start, end in zip(edges, edges[1:])
    ]
    for key, value in whole.items():
        merged = np.concatenate([part[key] for part in parts])
        # Matrix products of other sizes add up in another order.
        compare = np.testing.assert_allclose if key == "score" else np.testing.assert_array_equal
        compare(merged, value, **({"rtol": 1e-5} if key == "score" else {}))


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("serving_default", {"identity": (2, 3), "observation": (2, 1)}),
        ("serving_default", {"identity": (2, 1), "observation": (2, 3)}),
        ("serving_default", {"identity": (2,), "observation": (2,)}),
        ("serving_default", {"identity": (2, 2), "observation": (1, 2)}),
        ("generate_png", {"identity": (2, 3), "observation": (2, 1)}),
        ("sample", {"identity_seed": (2, 1), "observation_seed": (2, 1)}),
        ("sample", {"identity_seed": (2,), "observation_seed": (3,)}),
        ("score", {"images": (1, 2, 9, 9, 3)}),
        ("score", {"images": (1, 4, 8, 8, 3)}),
        ("score", {"images": (2, 8, 8, 3)}),
        ("score", {"images": (1, 2, 8, 8, 1)}),
    ],
)
def test_other_shapes_are_refused_though_nobody_checks_what_is_fed(answers, name, shapes):
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="not compatible|must be equal|should match"
    ):
        answers.run(name, {key: np.zeros(shape) for key, shape in shapes.items()})


@pytest.mark.parametrize("bad", [np.nan, np.inf, 3e38], ids=str)
def test_a_code_that_is_no_number_is_black_and_harms_no_neighbour(answers, requests, bad):
    asked = requests(4)["serving_default"]
    before = answers.run("serving_default", asked)["images"]
    asked["identity"][2] = bad
    after = answers.run("serving_default", asked)["images"]
    np.testing.assert_array_equal(after[[0, 1, 3]], before[[0, 1, 3]])
    if not np.isfinite(bad):
        assert not after[2].any()


@pytest.mark.parametrize("name", SIGNATURES)
def test_json_in_rows_and_in_columns(answers, requests, name):
    asked = requests(3)[name]
    columns = {key: value.tolist() for key, value in asked.items()}
    rows = [dict(zip(columns, row)) for row in zip(*columns.values())]
    expected = answers.run(name, asked)
    expected = {key: servers.to_json(key, value) for key, value in expected.items()}
    replies = {
        form: json.loads(json.dumps(servers.rest_predict(answers, json.dumps(body).encode())))
        for form, body in (
            ("outputs", {"signature_name": name, "inputs": columns}),
            ("predictions", {"signature_name": name, "instances": rows}),
        )
    }
    if len(expected) == 1:
        assert replies["outputs"] == {"outputs": next(iter(expected.values()))}
        assert replies["predictions"] == {"predictions": next(iter(expected.values()))}
    else:
        assert replies["outputs"] == {"outputs": expected}
        listed = [dict(zip(expected, row)) for row in zip(*expected.values())]
        assert replies["predictions"] == {"predictions": listed}


def test_a_single_input_needs_no_name_in_json(answers, requests):
    images = requests(2)["score"]["images"]
    expected = answers.run("score", {"images": images})["score"].tolist()
    body = {"signature_name": "score", "instances": images.tolist()}
    answer = servers.rest_predict(answers, json.dumps(body).encode())
    assert answer == {"predictions": expected}
