"""Every kind of process is killed with SIGKILL at random moments and started again, over and over,
while a small run goes on. It still ends in a verified run, with all its rounds.

How often is a matter of the run's own progress, not of seconds: each round sees a kill, however fast
the machine is, and a slow one sees more.
"""

import random
import sys
import time

from harness import Swarm, check, main, run_json, small_recipe, some_text, wait_until, workdir

ROUNDS = 14
SECONDS_MAX = 240


def keep_alive(processes):
    """Started again what is not running, unless it ended well because the run is finished."""
    for process in processes:
        if not process.alive() and process.process.returncode != 0:
            process.start()


def newest_round(processes):
    """The highest round that any of them has spoken of."""
    return max((event.get("round", 0) for process in processes for event in process.events[-20:]),
               default=0)


def chaos(swarm, victims, dice):
    kills = {victim.name: 0 for victim in victims}
    began = time.monotonic()
    next_kill = began + 1
    round_of_kill = -1
    while not all(victim.process.returncode == 0 for victim in victims[1:]):
        check(time.monotonic() - began < SECONDS_MAX,
              f"the run did not finish; killed so far: {kills}")
        keep_alive(victims)
        # A round without a kill gets one a moment after it began.
        if newest_round(victims) > round_of_kill:
            round_of_kill = newest_round(victims)
            next_kill = min(next_kill, time.monotonic() + dice.uniform(0, 0.1))
        if time.monotonic() < next_kill or sum(kills.values()) >= 60:
            time.sleep(0.01)
            continue
        # Kinds in turn, so that each is hit often; the moment is random.
        fewest = min(kills.values())
        victim = dice.choice([v for v in victims if kills[v.name] == fewest and v.alive()]
                             or [v for v in victims if v.alive()])
        victim.kill()
        kills[victim.name] += 1
        next_kill = time.monotonic() + dice.uniform(0.2, 1.6)
        for other in victims:
            other.process.poll()
    return kills


def test():
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 7
    with workdir("chaos") as work:
        text = some_text(work / "text", 200)
        swarm = Swarm(work, small_recipe(work / "recipe.toml", ROUNDS, steps=8), text)
        volunteers = [swarm.volunteer(f"volunteer-{i}") for i in (1, 2, 3)]
        victims = [swarm.hub, swarm.coordinator, swarm.validator, *volunteers]
        for process in victims[1:]:
            process.start()
        kills = chaos(swarm, victims, random.Random(seed))
        print("killed:", kills)
        check(sum(kills.values()) >= ROUNDS // 2 and min(kills.values()) >= 1,
              f"too few kills to mean anything: {kills}")
        if not swarm.hub.alive():
            swarm.hub.start()
        wait_until(swarm.finished, 30, "the hub to answer that the run is finished")
        status = swarm.status()
        check(status["phase"] == "finished", f"phase {status['phase']}")
        swarm.hub.interrupt()
        swarm.hub.wait(20)
        report = run_json("verify", "--data", work / "hub", "--dir", work / "audit", "--retrain",
                          "all", "--threads", 2)
        check(report["verified"], f"not verified after the chaos: {report}")
        accepted = sum(member["accepted"] for member in status["members"])
        check(report["retrained"] == report["retrained_exact"] == accepted >= ROUNDS,
              f"retrained, of {accepted}: {report}")
        check(report["runs"][0]["rounds_replayed"] == ROUNDS, f"rounds: {report['runs']}")


main(test)
