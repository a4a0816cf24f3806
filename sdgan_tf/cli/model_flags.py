"""Model: what learns. A flag that is not given leaves the model's own default, the paper's."""

from __future__ import annotations

from typing import Any

from absl import flags

from sdgan_tf import augmentation, models, objectives
from sdgan_tf.latents import DISTRIBUTIONS
from sdgan_tf.models import AdversarialModel
from sdgan_tf.networks.dcgan import INITIALIZERS, JOINS, NORMS, TOWERS
from sdgan_tf.training import precision

MODELS = {
    "sdgan": models.SDGAN,
    "sdbegan": models.SDBEGAN,
    "acdcgan": models.ACDCGAN,
    "drgan": models.DRGAN,
    "encoder_pairs": models.EncoderPairGAN,
    "table_pairs": models.TablePairGAN,
}

FLAGS = flags.FLAGS


def _integer(name: str, help: str, least: int = 0) -> None:
    flags.DEFINE_integer(name, None, help, lower_bound=least)


def _float(name: str, help: str, most: float | None = None) -> None:
    flags.DEFINE_float(name, None, help, lower_bound=0.0, upper_bound=most)


def _choice(name: str, choices, help: str) -> None:
    flags.DEFINE_enum(name, None, list(choices), help)


flags.DEFINE_enum("model", "sdgan", sorted(MODELS), "The algorithm.")
flags.DEFINE_integer("seed", 0, "Seed of everything random in training.", lower_bound=0)
flags.DEFINE_enum(
    "precision",
    "auto",
    precision.CHOICES,
    "Precision policy; auto takes bfloat16 where the machine is fast in it.",
)
_integer("dim", "Width of the networks (64; sdbegan: 128).", 1)
_integer("d_i", "Width of the identity code z_I (50).")
_integer("d_o", "Width of the observation code z_O (50).")
_integer("k", "sdgan, sdbegan: pictures in a tuple (2).", 1)
_choice("codes", DISTRIBUTIONS, "Distribution of the codes (uniform).")
_float("ema", "Decay of the averaged generator, such as .999 (0: none).")

_choice("objective", sorted(objectives.OBJECTIVES), "sdgan: the adversarial loss (dcgan).")
_choice("norm", NORMS, "all but sdbegan: normalisation in the discriminator (batch).")
_choice("towers", TOWERS, "sdgan: how the discriminator sees a tuple's pictures (siamese).")
_choice("join", JOINS, "sdgan: what joins the towers (conv).")
_integer("join_layers", "sdgan: how many layers join them (1).")
_choice("d_init", INITIALIZERS, "sdgan: first weights of the discriminator (dcgan).")
_integer("critic_steps", "sdgan: discriminator's updates for one of the generator (objective's).")
_float("mixed", "sdgan: weight of real tuples of mixed identities as further fakes (0).")
_float("r1", "all but sdbegan: weight of the R1 gradient penalty on real tuples (0).")
_float("r2", "sdgan: weight of the same penalty on fake tuples (0).")
_integer("r1_every", "sdgan: steps between two such penalties (16).", 1)
_float("lecam", "sdgan: weight of the LeCam regulariser (0).")
flags.DEFINE_string(
    "augment",
    None,
    "all but sdbegan: DiffAugment operations, comma-separated, of "
    f"{', '.join(augmentation.OPERATIONS)} (none).",
)
_float("gamma", "sdbegan: wanted ratio of the two reconstruction errors (.5).")
_float("rate_k", "sdbegan: how fast k_t moves (.001).")

_float("d_rate", "Constant learning rate of the discriminator (the objective's).")
_float("g_rate", "Constant learning rate of the generator (the objective's).")
_float("beta_1", "Adam's beta_1, for both (the objective's).", 1.0)
_float("beta_2", "Adam's beta_2, for both (the objective's).", 1.0)

OPTIMIZER_FLAGS = ("d_rate", "g_rate", "beta_1", "beta_2")


def k() -> int:
    """Pictures in a tuple, as asked or by default."""
    return FLAGS.k or getattr(MODELS[FLAGS.model], "k", 2)


def build(identities: int) -> AdversarialModel:
    """The compiled model that the flags ask for, to be trained on so many identities."""
    maker = MODELS[FLAGS.model]
    policy, reason = precision.resolve(FLAGS.precision)
    known = {"training_identities": identities} if maker.labelled else {}
    model = maker(**{**_arguments(maker), "precision": policy, **known})
    d_optimizer, g_optimizer = model.default_optimizers()
    model.compile(_adjusted(d_optimizer, FLAGS.d_rate), _adjusted(g_optimizer, FLAGS.g_rate))
    print(f"Precision: {policy} ({reason}).")
    return model


def _arguments(maker: type[AdversarialModel]) -> dict[str, Any]:
    given = {
        flag.name: flag.value
        for flag in FLAGS.flags_by_module_dict()[__name__]
        if flag.value is not None and flag.name not in ("model", "precision", *OPTIMIZER_FLAGS)
    }
    foreign = sorted(set(given) - set(maker.ARGUMENTS))
    if foreign:
        raise ValueError(
            f"--model={FLAGS.model} does not take {', '.join('--' + name for name in foreign)}."
        )
    return {**given, "image_size": FLAGS.image_size, "channels": int(FLAGS.channels)}


def _adjusted(optimizer: Any, rate: float | None) -> Any:
    """The optimizer with the flags' numbers in place of its own."""
    wanted = {"learning_rate": rate, "beta_1": FLAGS.beta_1, "beta_2": FLAGS.beta_2}
    wanted = {name: value for name, value in wanted.items() if value is not None}
    config = optimizer.get_config()
    foreign = sorted(set(wanted) - set(config))
    if foreign:
        raise ValueError(
            f"{type(optimizer).__name__}, the optimizer of --objective={FLAGS.objective}, has no "
            f"{', '.join(foreign)}."
        )
    return type(optimizer).from_config({**config, **wanted}) if wanted else optimizer
