#!/usr/bin/env python3
"""A whole run with PyTorch members that is audited (docs/audits.md, "Inexact classes").

usage: torch_run.py BIN [--rounds N] [--validators N] [--steps N] [--rate P] [--spread] [--torch PYTHON]
       [--verify] [--json]

BIN is the folder of the programs. A hub, a coordinator and validators that have a program for PyTorch's class
train a small model with two exact members, two on PyTorch and one on PyTorch that does half of its steps and
says all. Of the contributions that are accepted the part P is drawn for an audit, of newcomers' too. Everybody
trains with one thread; with --spread the validators have 1, 2, 3 …, so that their bits differ (and their times
say little where there are fewer cores). What the auditors found is read from the hub's views, times from what
the programs say of themselves: seconds of the wall, with everything on this one machine. PYTHON is one that has
torch. --verify does all audits once more afterwards, with `harambee verify --audits`.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

from harness import Swarm, check, count, measure, run_json, some_text, wait_until  # noqa: E402

RECIPE = """
rounds = {rounds}
min_contributions = 4
shards_per_member = 4
checkpoint_every = {rounds}
commit_ms = 120000
reveal_ms = 20000
score_ms = 120000

[model]
hidden = 128
layers = 2
heads = 4
kv_heads = 2
ffn = 384
context = 128

[warm]
steps = 100
batch = 16

[inner]
steps = {steps}
batch = 16

[gate]
rows = 32
report = 64

[judge]
auditors = 1
audit = {rate}
audit_newcomer = {rate}
own_rounds = 0
"""
GROUPS = {  # name: (members, misbehaviour)
    "exact": (["ada", "ben"], None),
    "PyTorch": (["tia", "tom"], None),
    "PyTorch, half of the steps": (["eve"], "lazy"),
}
RUN_S_MAX = 3000


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--validators", type=int, default=3)
    parser.add_argument("--steps", type=int, default=10, help="inner steps, at least 10")
    parser.add_argument("--rate", default="0.5")
    parser.add_argument("--spread", action="store_true")
    parser.add_argument("--torch", default="/usr/bin/python3")
    parser.add_argument("--verify", action="store_true")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def seconds_in(process, state):
    """How long the program was in a state, all in all: until it said another one."""
    total, since = 0, None
    for event in process.events:
        if event["event"] != "state":
            continue
        if since is not None:
            total += event["read_s"] - since
        since = event["read_s"] if event["state"] == state else None
    return total


def with_threads(process, threads):  # another number: other bits
    process.arguments[process.arguments.index("--threads") + 1] = str(threads)


def play(work, wanted):
    """The whole run; returns the swarm, still with its hub, and the volunteers by name."""
    recipe = work / "recipe.toml"
    recipe.write_text(RECIPE.format(rounds=wanted.rounds, steps=wanted.steps, rate=wanted.rate))
    swarm = Swarm(work, recipe, some_text(work / "text", 400), validators=wanted.validators)
    trainer = f"{wanted.torch} {ROOT / 'examples' / 'torch_trainer.py'}"
    for number, validator in enumerate(swarm.validators, 1):
        validator.arguments += ["--audit-trainer", f"torch-fp32={trainer}"]
        if wanted.spread:
            with_threads(validator, number)
    people = {}
    for group, (names, misbehaviour) in GROUPS.items():
        for name in names:
            swarm.keys[name] = swarm.key(name)
            more = ["--trainer", trainer] if group != "exact" else []
            more += ["--misbehave", misbehaviour] if misbehaviour else []
            people[name] = swarm.volunteer(name, *more)
    for process in people.values():
        process.start()
    wait_until(lambda: len(swarm.status()["members"]) == len(people), 300, "everybody to join")
    for process in (swarm.coordinator, *swarm.validators):
        process.start()
    swarm.coordinator.wait(RUN_S_MAX)
    for process in (swarm.coordinator, *swarm.validators, *people.values()):
        check(process.wait(600) == 0, f"{process.name} failed: {process.tail()}")
    return swarm, people


def span(values):
    return [min(values), max(values)] if values else None


def measured(group, swarm, people):
    """One group's row."""
    names, misbehaviour = GROUPS[group]
    members, cases, trained_s = [], [], 0
    for name in names:
        shown = swarm.view(f"/peers/{swarm.keys[name]}")
        check(shown["audits"]["total"] == len(shown["audits"]["rows"]), "more audits than the view shows")
        members.append(shown["member"])
        cases += shown["audits"]["rows"]
        trained_s += seconds_in(people[name], "training")
    found = [answer for case in cases for answer in case["found"]]
    numbers = {kind: [float(answer[kind]) for answer in found if answer[kind] is not None]
               for kind in ("cosine", "distance")}
    return {
        "group": group, "members": len(names), "misbehaviour": misbehaviour,
        "accepted": sum(member["accepted"] for member in members),
        "missed_rounds": sum(member["missed_rounds"] for member in members),
        "standing": [member["standing"] for member in members],
        "cases": len(cases), "ends": count(case["state"] for case in cases),
        "answers": count(answer["result"] for answer in found),
        "cosine": span(numbers["cosine"]), "distance": span(numbers["distance"]),
        "trainings": sum(member["accepted"] + member["rejected"] for member in members), "training_s": trained_s,
    }


def audit_times(swarm):
    kinds = {"exact": "training a contribution again", "PyTorch": "training a contribution of class torch-fp32 again"}
    return {kind: sum(seconds_in(validator, state) for validator in swarm.validators)
            for kind, state in kinds.items()}


def start_s(python):
    """What starting Python with PyTorch takes here, without any training: the quickest of three."""
    found = []
    for _ in range(3):
        begin = time.monotonic()
        subprocess.run([python, "-c", "import torch"], check=True)
        found.append(time.monotonic() - begin)
    return min(found)


def result(work, wanted):
    swarm, people = play(work, wanted)
    shown = swarm.view()
    said = {
        "parameters": {key: getattr(wanted, key) for key in ("rounds", "validators", "steps", "rate", "spread")},
        "model_parameters": shown["parameters"],
        "loss_nats": [shown["loss"]["first_nanos"] / 1e9, shown["loss"]["last_nanos"] / 1e9],
        "liars": len(shown["liars"]), "near": shown["audits"]["near"],
        "groups": [measured(group, swarm, people) for group in GROUPS],
        "audits_s": audit_times(swarm), "torch_start_s": start_s(wanted.torch), "cores": os.cpu_count(),
    }
    swarm.hub.interrupt()
    swarm.hub.wait(60)
    if wanted.verify:
        report = run_json("verify", "--data", work / "hub", "--dir", work / "audit", "--audits", "--threads", 1,
                          "--audit-trainer", f"torch-fp32={wanted.torch} {ROOT / 'examples' / 'torch_trainer.py'}",
                          seconds=RUN_S_MAX)
        said["verify"] = {key: report[key] for key in ("verified", "audits", "audits_inexact", "audits_near",
                                                       "audits_unrepeated", "audit_disagreements")}
    return said


def as_text(said):
    words = lambda counts: ", ".join(f"{n} {word}" for word, n in sorted(counts.items())) or "–"
    span_text = lambda span, digits: "–" if not span else f"{span[0]:.{digits}g} … {span[1]:.{digits}g}"
    first, last = said["loss_nats"]
    print(f"{said['parameters']}, {said['model_parameters']:,} parameters, {said['cores']} cores; "
          f"held-out loss {first:.4f} → {last:.4f} nats; liars: {said['liars']}")
    print("| members | accepted | cases drawn | ended | answers | cosine | distance | at the end |")
    print("|---|---|---|---|---|---|---|---|")
    for row in said["groups"]:
        print(f"| {row['members']} {row['group']} | {row['accepted']} | {row['cases']} | {words(row['ends'])} "
              f"| {words(row['answers'])} | {span_text(row['cosine'], 9)} | {span_text(row['distance'], 2)} "
              f"| {', '.join(row['standing'])} |")
    for row in said["groups"]:
        print(f"{row['group']}: {row['trainings']} trainings, {row['training_s']:.1f} s")
    for kind, total in said["audits_s"].items():
        print(f"audits of the class {kind}: {total:.1f} s")
    print(f"starting PyTorch: {said['torch_start_s']:.2f} s")
    if "verify" in said:
        print(f"verify --audits: {said['verify']}")


def main():
    wanted = options()
    if subprocess.run([wanted.torch, "-c", "import torch"], capture_output=True).returncode != 0:
        raise SystemExit(f"{wanted.torch} has no torch (apt-get install python3-torch, or --torch PYTHON)")
    measure("torch-run", wanted, result, as_text)


if __name__ == "__main__":
    main()
