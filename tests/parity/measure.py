"""How far each difference to the released code moves the weights: the numbers of
docs/differences.md.

    python -m tests.parity.measure

Trains the released graph and the same graph with one thing changed, tiny, from the same weights, on
the same images and codes. Prints the distance between their weights after 1 and 100 steps as a
share of the way that the released one went, and how far the changed one went after 100 steps, as a
multiple of that way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tests.parity.released import Released, ReleasedSDBEGAN, ReleasedSDDCGAN, v1

TUPLES, CODE, STEPS = 8, 16, (1, 100)
SIZES = {"k": 2, "image_size": 32, "channels": 3, "code_size": CODE, "dim": 8}
BEGAN = {**SIZES, "d_i": CODE // 2, "d_o": CODE // 2}


def adam(rate: float, epsilon: float, **options: float) -> Callable[[], Any]:
    return lambda: v1.train.AdamOptimizer(rate, epsilon=epsilon, **options)


def rmsprop(rate: float, epsilon: float) -> Callable[[], Any]:
    return lambda: v1.train.RMSPropOptimizer(rate, epsilon=epsilon)


def dcgan(**options: Any) -> Released:
    return ReleasedSDDCGAN(**SIZES, **options)


def began(**options: Any) -> Released:
    return ReleasedSDBEGAN(**BEGAN, **options)


# What is trained, and what is changed in it: (name, options of the graph, settings of the run).
STUDIES: dict[str, tuple[Callable[..., Released], dict[str, Any], list[tuple[str, dict, dict]]]] = {
    "SD-DCGAN": (
        dcgan,
        {},
        [
            ("nothing but rounding", {}, {"noise": 1e-7}),
            ("Adam's epsilon 1e-7", {"optimizer": adam(2e-4, 1e-7, beta1=0.5)}, {}),
            ("image scale", {}, {"scale": 127.5}),
        ],
    ),
    "LSGAN": (
        dcgan,
        {"loss": "lsgan"},
        [
            ("nothing but rounding", {}, {"noise": 1e-7}),
            ("RMSProp's epsilon 1e-7", {"optimizer": rmsprop(1e-4, 1e-7)}, {}),
            ("RMSProp's start 0", {}, {"squares": 0.0}),
            ("both", {"optimizer": rmsprop(1e-4, 1e-7)}, {"squares": 0.0}),
        ],
    ),
    "WGAN": (
        dcgan,
        # Where batch norm is clipped, the generator stands still, and there is nothing to compare.
        {"loss": "wgan", "clip_norms": False},
        [
            ("nothing but rounding", {}, {"noise": 1e-7}),
            ("RMSProp's epsilon 1e-7", {"optimizer": rmsprop(5e-5, 1e-7)}, {}),
            ("RMSProp's start 0", {}, {"squares": 0.0}),
            ("both", {"optimizer": rmsprop(5e-5, 1e-7)}, {"squares": 0.0}),
            ("batch norm clipped", {"clip_norms": True}, {}),
        ],
    ),
    "WGAN-GP": (
        dcgan,
        {"loss": "wgan-gp"},
        [
            ("nothing but rounding", {}, {"noise": 1e-7}),
            ("norm over all axes", {"penalty_axes": (1, 2, 3, 4)}, {}),
        ],
    ),
    "SD-BEGAN": (
        began,
        {},
        [
            ("nothing but rounding", {}, {"noise": 1e-7}),
            ("Adam's epsilon 1e-7", {"optimizer": adam(8e-5, 1e-7)}, {}),
            ("beta_1 .5", {"optimizer": adam(8e-5, 1e-8, beta1=0.5)}, {}),
            ("parting layers moved once", {"twice": False}, {}),
        ],
    ),
}


def main() -> None:
    for study, (make, options, changes) in STUDIES.items():
        graph = make(**options)
        start = first_weights(graph.shapes())
        wanted = run(graph, start)
        titles = [f"{n} {step}" for step in STEPS for n in "GD"] + ["way of G", "way of D"]
        print(f"\n{study}\n{'':26}" + "".join(f"{title:>10}" for title in titles))
        ways = {(n, step): distance(wanted[step], start, n) for step in STEPS for n in "GD"}
        for name, changed, settings in changes:
            got = run(make(**{**options, **changed}), start, **settings)
            shares = [distance(got[s], wanted[s], n) / way for (n, s), way in ways.items()]
            last = STEPS[-1]
            shares += [distance(got[last], start, n) / ways[n, last] for n in "GD"]
            print(f"{name:26}" + "".join(f"{share:10.2g}" for share in shares), flush=True)
        sizes = [way / size(start, n) for (n, _), way in ways.items()]
        print(f"{'way / size of the start':26}" + "".join(f"{way:10.2g}" for way in sizes))


def run(
    graph: Released, start: dict, noise: float = 0.0, scale: float = 0.0, squares: float = 1.0
) -> dict[int, dict[str, np.ndarray]]:
    """Train; return the weights after each of `STEPS`."""
    random = np.random.default_rng(2)
    graph.write({n: v * (1 + noise * random.normal(size=v.shape)) for n, v in start.items()})
    graph.set_squares(squares)
    is_began = isinstance(graph, ReleasedSDBEGAN)
    # SD-BEGAN's images are scaled as this package does.
    divisor = scale or (127.5 if is_began else 128.0)
    weights, feeds = {}, batches()
    for step in range(1, STEPS[-1] + 1):
        images, codes, new_codes, share = next(feeds)
        images = images / divisor - 1.0
        if is_began:
            graph.step(images, codes)
        else:
            graph.step(images, codes, new_codes, share if hasattr(graph, "share") else None)
        if step in STEPS:
            weights[step] = graph.read()
    return weights


def batches() -> Iterator[tuple[np.ndarray, ...]]:
    """Yield images from 0 to 255, a coarse pattern of the identity and one of the observation,
    codes for both networks, and places between real and fake.
    """
    random = np.random.default_rng(1)
    k, half = SIZES["k"], CODE // 2

    def codes() -> np.ndarray:
        identity = np.repeat(random.uniform(-1, 1, (TUPLES, 1, half)), k, axis=1)
        observation = random.uniform(-1, 1, (TUPLES, k, half))
        return np.concatenate([identity, observation], -1).reshape(-1, CODE).astype(np.float32)

    while True:
        patterns = random.random((TUPLES, 1, 4, 4, 3)) + random.random((TUPLES, k, 4, 4, 3))
        images = np.floor(127.9 * patterns.repeat(8, axis=2).repeat(8, axis=3))
        yield images, codes(), codes(), random.random((TUPLES, 1, 1, 1, 1))


def first_weights(shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Return weights as both codes first draw them."""
    random = np.random.default_rng(0)
    is_dcgan = "D/score/kernel" in shapes
    weights = {}
    for name, shape in shapes.items():
        if name.endswith("kernel"):
            area = int(np.prod(shape[:-2]))
            glorot = np.sqrt(6.0 / (area * (shape[-1] + shape[-2])))
            limit = 0.02 * np.sqrt(3.0) if is_dcgan else glorot
            weights[name] = random.uniform(-limit, limit, shape)
        else:
            weights[name] = np.full(shape, float(name.endswith(("gamma", "variance"))))
    return weights


def distance(a: dict, b: dict, network: str) -> float:
    """Between the trained weights of a network."""
    names = [n for n in a if n.startswith(network) and "moving" not in n]
    return float(np.sqrt(sum(np.square(a[n] - b[n]).sum() for n in names)))


def size(weights: dict, network: str) -> float:
    return distance(weights, {name: np.zeros_like(v) for name, v in weights.items()}, network)


if __name__ == "__main__":
    main()
