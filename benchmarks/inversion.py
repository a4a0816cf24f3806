"""How well the codes of photos of unseen people are found: errors, and how often a verifier takes the image for the person.

  bin/evaluate train-verifier --drawn_identities=2000 --data_seed=1 --steps=1500 --out=verifiers/drawn
  bin/evaluate train-verifier --drawn_identities=2000 --data_seed=2 --steps=1500 --out=verifiers/guide
  python benchmarks/inversion.py --verifier=verifiers/drawn [--guide=verifiers/guide] [--photos=64]

Neither the model nor the verifiers have seen the people in the photos. The verifier says whether the
photo and the image of its codes show one identity, at the threshold that is most accurate on pairs of
other unseen people. How often it accepts two photos of one person, and of two people, stands beside.
A guide is another verifier, whose embeddings the descent matches too.
"""

from __future__ import annotations

import numpy as np
from absl import app, flags

import sdgan_tf as sd
from sdgan_tf import evaluation, generation
from sdgan_tf.evaluation import metrics, verification

FLAGS = flags.FLAGS
flags.DEFINE_string("saved_model", "saved_models/drawn", "An exported model of drawn people.")
flags.DEFINE_string("verifier", None, "The folder of the verifier.", required=True)
flags.DEFINE_string("guide", None, "The folder of another verifier, for the perceptual term.")
flags.DEFINE_integer("photos", 64, "How many photos are inverted, of as many people.", 2)
flags.DEFINE_integer("data_seed", 9, "Seed of the drawn people.")


def main(_) -> None:
    model = sd.load_saved_model(FLAGS.saved_model)
    verifier = evaluation.load_verifier(FLAGS.verifier)
    guide = evaluation.load_verifier(FLAGS.guide).embed_tensor if FLAGS.guide else None
    count, size = FLAGS.photos, model.image_size
    threshold, pairs = _threshold(verifier, sd.data.drawn(200, 4, size, seed=FLAGS.data_seed + 1))
    images = sd.data.drawn(count, 2, size, seed=FLAGS.data_seed).images
    photos, others = images[::2], images[1::2]
    inversion = generation.invert(model, photos, embed=guide)
    seen = verifier.embed(np.concatenate([photos, others, inversion.images]))
    photo, other, image = np.split(seen, 3)

    def accepted(one: np.ndarray, two: np.ndarray) -> str:
        return f"{np.mean(np.sum((one - two) ** 2, axis=1) < threshold):.1%}"

    print(f"Verifier: AUC {pairs:.4f} on unseen people")
    print(
        f"Error, grey levels: median {np.median(inversion.error):.1f}, quartiles "
        f"{np.quantile(inversion.error, 0.25):.1f} - {np.quantile(inversion.error, 0.75):.1f}; best of "
        f"{generation.Search().random_codes:,} random codes: median {np.median(inversion.random_error):.1f}"
    )
    print(f"Accepted as one identity: a photo and its image {accepted(photo, image)}")
    print(f"  this image and another photo of the person {accepted(other, image)}")
    print(f"  two photos of one person {accepted(photo, other)}")
    print(f"  photos of two people {accepted(photo, np.roll(photo, 1, axis=0))}")
    print(f"  a photo and the image of another {accepted(photo, np.roll(image, 1, axis=0))}")


def _threshold(verifier: evaluation.Verifier, people) -> tuple[float, float]:
    """The verifier's threshold and its AUC, on pairs of other people."""
    drawn = evaluation.real_pairs(people, 4000)
    matched, unmatched, _ = metrics.distances(drawn, verifier.embed(drawn.images))
    return verification.best_threshold(matched, unmatched), verification.auc(matched, unmatched)


if __name__ == "__main__":
    app.run(main)
