"""Model: what learns."""

from __future__ import annotations

from absl import flags
from tensorflow import keras

from sdgan_tf import augmentation, models, objectives
from sdgan_tf.latents import DISTRIBUTIONS
from sdgan_tf.models import AdversarialModel
from sdgan_tf.networks.dcgan import NORMS
from sdgan_tf.training import precision

MODELS = {"sdgan": models.SDGAN}

FLAGS = flags.FLAGS

flags.DEFINE_enum("model", "sdgan", sorted(MODELS), "The algorithm.")
flags.DEFINE_enum("objective", "dcgan", sorted(objectives.OBJECTIVES), "The adversarial loss.")
flags.DEFINE_integer("dim", 64, "Width of the networks.", lower_bound=1)
flags.DEFINE_integer("d_i", 50, "Width of the identity code z_I.", lower_bound=1)
flags.DEFINE_integer("d_o", 50, "Width of the observation code z_O.", lower_bound=1)
flags.DEFINE_integer("k", 2, "Pictures in a tuple.", lower_bound=1)
flags.DEFINE_enum("codes", "uniform", DISTRIBUTIONS, "Distribution of the codes.")
flags.DEFINE_enum("norm", "batch", NORMS, "Normalisation in the discriminator.")
flags.DEFINE_float(
    "mixed", 0.0, "Weight of real tuples of mixed identities as further fakes.", lower_bound=0.0
)
flags.DEFINE_float("r1", 0.0, "Weight of the R1 gradient penalty on real tuples.", lower_bound=0.0)
flags.DEFINE_integer("r1_every", 16, "Steps between two R1 penalties.", lower_bound=1)
flags.DEFINE_string(
    "augment",
    "",
    f"DiffAugment operations, comma-separated, of {', '.join(augmentation.OPERATIONS)}.",
)
flags.DEFINE_float("ema", 0.0, "Decay of the averaged generator; 0 for none.")
flags.DEFINE_enum(
    "precision",
    "auto",
    precision.CHOICES,
    "Precision policy; auto takes bfloat16 where the machine is fast in it.",
)
flags.DEFINE_integer("seed", 0, "Seed of everything random in training.", lower_bound=0)
flags.DEFINE_float("d_rate", 2e-4, "Adam's rate for the discriminator.", lower_bound=0.0)
flags.DEFINE_float("g_rate", 2e-4, "Adam's rate for the generator.", lower_bound=0.0)
flags.DEFINE_float("beta_1", 0.5, "Adam's beta_1, for both.", lower_bound=0.0, upper_bound=1.0)
flags.DEFINE_float("beta_2", 0.999, "Adam's beta_2, for both.", lower_bound=0.0, upper_bound=1.0)


def build() -> AdversarialModel:
    """The compiled model that the flags ask for."""
    maker = MODELS[FLAGS.model]
    policy, reason = precision.resolve(FLAGS.precision)
    print(f"Precision: {policy} ({reason}).")
    keras.utils.set_random_seed(FLAGS.seed)
    asked = {name: getattr(FLAGS, name) for name in maker.ARGUMENTS if name in FLAGS}
    model = maker(**{**asked, "channels": int(FLAGS.channels), "precision": policy})
    model.compile(
        *(
            keras.optimizers.Adam(rate, beta_1=FLAGS.beta_1, beta_2=FLAGS.beta_2)
            for rate in (FLAGS.d_rate, FLAGS.g_rate)
        )
    )
    return model
