"""Kills commands at random moments, and runs each again by the same command.

  python -m tests.campaigns.kills --times=100

A command is ended by SIGKILL, by SIGTERM, or by SIGINT twice, at a moment drawn uniformly from the time that it takes
undisturbed. Run again it must leave the same bytes as one that nobody disturbed, all lines of the log, and no fragment.
Ends with status 1 where one does not.
"""

from __future__ import annotations

import signal
import time

import numpy as np
from absl import app, flags

from tests.campaigns import report
from tests.campaigns.commands import SCENARIOS, Bench

FLAGS = flags.FLAGS
flags.DEFINE_integer("times", 1, "How often each command is ended, in a way drawn at random.", 1)
flags.DEFINE_list("scenarios", list(SCENARIOS), "Which commands.")

WAYS = {
    "kill": (signal.SIGKILL,),
    "term": (signal.SIGTERM,),
    "interrupt": (signal.SIGINT, signal.SIGINT),
}


def disturb(bench: Bench, name: str, way: str, rng: np.random.Generator) -> tuple[str, list[str]]:
    """Ends a scenario in a way and runs it again: what became of it, and what is wrong."""
    bench.reference(name)
    bench.prepare(name)
    moment = float(rng.uniform(0, bench.seconds[name]))
    child = bench.start(name)
    time.sleep(moment)
    for number in WAYS[way]:
        child.signal(number)
        time.sleep(float(rng.uniform(0, 0.2)))
    outcome = child.wait()
    told = {0, -WAYS[way][0]} if way == "kill" else {0, 128 + WAYS[way][0]}
    wrong = [] if outcome.status in told else [f"it ended with {outcome.status}"]
    if "Traceback" in outcome.said:
        wrong.append("it ended with a traceback")
    if wrong:
        wrong.append(outcome.said[-1500:])
    wrong += bench.again(name)
    ended = "had ended already" if outcome.status == 0 else "ended"
    return ended, [f"at {moment:.2f} s: {line}" for line in wrong]


def main(argv: list[str]) -> int:
    with report.Campaign("kills") as campaign:
        bench = Bench(campaign.folder)
        for turn in range(FLAGS.times):
            for place, name in enumerate(FLAGS.scenarios):
                rng = np.random.default_rng([FLAGS.seed, turn, place])
                way = str(rng.choice(list(WAYS)))
                ended, wrong = disturb(bench, name, way, rng)
                campaign.note(f"{name}, {way}", ended, wrong)
    return campaign.status


if __name__ == "__main__":
    app.run(main)
