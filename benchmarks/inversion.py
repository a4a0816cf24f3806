"""How well codes of unseen people are found: errors, and how often a verifier takes the find for the photo.

  bin/evaluate train-verifier --drawn_identities=2000 --data_seed=1 --steps=1500 --out=verifiers/drawn
  bin/evaluate train-verifier --drawn_identities=2000 --data_seed=2 --steps=1500 --out=verifiers/guide
  python benchmarks/inversion.py --verifier=verifiers/drawn [--guide=verifiers/guide] [--photos=64]

The photos are of people that neither model nor verifiers have seen. The verifier says whether photo and
find show one identity, at the threshold that is most accurate on pairs of other unseen people; how
often it accepts two photos of one person, and of two, stands beside. A guide is another verifier,
whose embeddings the descent matches too.
"""

from __future__ import annotations

import numpy as np
from absl import app, flags

import sdgan_tf as sd
from sdgan_tf import evaluation, generation
from sdgan_tf.evaluation import metrics, verification

FLAGS = flags.FLAGS
flags.DEFINE_string("saved_model", "saved_models/drawn", "An exported model of drawn people.")
flags.DEFINE_string("verifier", None, "The verifier.", required=True)
flags.DEFINE_string("guide", None, "Another verifier, for the perceptual term.")
flags.DEFINE_integer("photos", 64, "How many to invert, of as many people.", 2)
flags.DEFINE_integer("data_seed", 9, "Which people.")


def main(_) -> None:
    model = sd.load_saved_model(FLAGS.saved_model)
    verifier = evaluation.load_verifier(FLAGS.verifier)
    guide = evaluation.load_verifier(FLAGS.guide).embed_tensor if FLAGS.guide else None
    count, size = FLAGS.photos, model.image_size
    threshold, pairs = _threshold(verifier, sd.data.drawn(200, 4, size, seed=FLAGS.data_seed + 1))
    images = sd.data.drawn(count, 2, size, seed=FLAGS.data_seed).images
    photos, others = images[::2], images[1::2]
    found = generation.invert(model, photos, embed=guide)
    seen = verifier.embed(np.concatenate([photos, others, found.images]))
    photo, other, find = np.split(seen, 3)

    def accepted(one: np.ndarray, two: np.ndarray) -> str:
        return f"{np.mean(np.sum((one - two) ** 2, axis=1) < threshold):.1%}"

    print(f"Verifier: AUC {pairs:.4f} on unseen people")
    print(
        f"Error, grey levels: median {np.median(found.error):.1f}, quartiles "
        f"{np.quantile(found.error, 0.25):.1f} - {np.quantile(found.error, 0.75):.1f}; best of "
        f"{generation.Search().random_codes:,} random codes: median {np.median(found.random_error):.1f}"
    )
    print(f"Accepted as one identity: photo and find {accepted(photo, find)}")
    print(f"  the find and another photo of this person {accepted(other, find)}")
    print(f"  two photos of one person {accepted(photo, other)}")
    print(f"  photos of two people {accepted(photo, np.roll(photo, 1, axis=0))}")
    print(f"  a photo and the find of another {accepted(photo, np.roll(find, 1, axis=0))}")


def _threshold(verifier: evaluation.Verifier, people) -> tuple[float, float]:
    """The verifier's threshold and its AUC, on pairs of other people."""
    drawn = evaluation.real_pairs(people, 4000)
    matched, unmatched, _ = metrics.distances(drawn, verifier.embed(drawn.images))
    return verification.best_threshold(matched, unmatched), verification.auc(matched, unmatched)


if __name__ == "__main__":
    app.run(main)
