#!/usr/bin/env python3
"""How often work on one's own rows is seen to be that, in a real run (docs/attacks.md, "Own data").

usage: own_data.py BIN [--rounds N | --minutes M] [--honest N] [--validators N] [--shards N] [--window N]
       [--json]

BIN is the folder of the programs. The demo's recipe and model, exact trainers, one thread each. The text is of five
kinds, one after the other, cut into 64 shards, of which each member trains on N neighbours: mostly on one kind. One
member does as much work on other shards (`join --misbehave other-data`). Told are, of each member: in how many
rounds its work was better on the rows that it had to train on than on others of the same shards, by the
validators' middle value (spec/run.md §9) and by each validator alone; the fewest of any --window rounds in a row;
and in how many rounds it was idle. With --minutes the run is cut there.
"""

import argparse
import base64
import json
import os
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

from harness import Swarm, count, measure, wait_until  # noqa: E402

RECIPE = """
rounds = {rounds}
min_contributions = {members}
shards_per_member = {shards}
checkpoint_every = {rounds}
commit_ms = 120000
reveal_ms = 20000
score_ms = 120000

[inner]
steps = 10
batch = 4
warmup = 10

[codec]
keep = 56

[gate]
rows = 16
report = 48

[judge]
auditors = 0
own_rounds = {window}
"""
# Texts of different kinds, as they lie on a Debian machine: folders, and how the files' names end.
KINDS = {
    "1-prose": ([ROOT / "docs", ROOT / "spec", Path("/usr/share/common-licenses")], ("", ".md")),
    "2-cpp": ([ROOT / "src"], (".cpp", ".h")),
    "3-python": ([Path(os.__file__).parent], (".py",)),
    "4-perl": ([Path("/usr/share/perl")], (".pm", ".pl")),
    "5-headers": ([Path("/usr/include/c++")], ("", ".h", ".tcc")),
}
KIND_BYTES_MAX = 700_000


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--honest", type=int, default=5)
    parser.add_argument("--validators", type=int, default=3)
    parser.add_argument("--shards", type=int, default=10)
    parser.add_argument("--window", type=int, default=24)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def texts(folder):
    """One kind after the other, so that neighbouring shards are alike and distant ones are not."""
    for kind, (roots, ends) in KINDS.items():
        left = KIND_BYTES_MAX
        (folder / kind).mkdir(parents=True)
        for path in sorted(path for root in roots for path in root.rglob("*")):
            if left <= 0 or path.suffix not in ends or not path.is_file() or path.is_symlink():
                continue
            data = path.read_bytes()[:left]
            (folder / kind / f"{KIND_BYTES_MAX - left:07}-{path.name}.txt").write_bytes(data)
            left -= len(data)
    return folder


def play(work, wanted):
    """The run, to its end or until its time is up; the swarm, and the members' names by key."""
    recipe = work / "recipe.toml"
    recipe.write_text(RECIPE.format(rounds=wanted.rounds, members=wanted.honest + 1, shards=wanted.shards,
                                    window=wanted.window))
    swarm = Swarm(work, recipe, texts(work / "text"), validators=wanted.validators)
    names = [f"honest-{i}" for i in range(1, wanted.honest + 1)] + ["other-data"]
    keys = {}
    for name in names:  # one after the other, so that who has which shards is no chance
        keys[swarm.key(name)] = name
        swarm.volunteer(name, *(["--misbehave", name] if name == "other-data" else [])).start()
        wait_until(lambda: len(swarm.status()["members"]) == len(keys), 300, f"{name} to join")
    for process in (swarm.coordinator, *swarm.validators):
        process.start()
    until = time.monotonic() + 60 * (wanted.minutes or 24 * 60)
    wait_until(lambda: time.monotonic() > until or not swarm.coordinator.alive(), 25 * 3600, "the run to finish")
    return swarm, keys


def payloads(swarm):
    """What every record of the log says."""
    at = 0
    while True:
        with urllib.request.urlopen(f"{swarm.url}/log?from={at}", timeout=60) as answer:
            body = answer.read()
        begin = body.index(b"\nentries ") + 1
        end = body.index(b"\n", begin)
        count = int(body[begin:end].split()[2])
        if count == 0:
            return
        place = end + 1
        for _ in range(count):
            size = int.from_bytes(body[place:place + 2], "big")
            envelope = json.loads(body[place + 2:place + 2 + size])
            yield json.loads(base64.b64decode(envelope["payload"]))
            place += 2 + size
        at += count


def measurements(swarm, keys):
    """Of each member's closed rounds, in order: what all validators together and each alone measured, and why
    it was not accepted."""
    scores = {}  # by round
    for payload in payloads(swarm):
        if payload["kind"] == "score":
            scores.setdefault(payload["round"], []).append(payload["body"]["entries"])
    found = {name: [] for name in keys.values()}
    for number in range(swarm.view()["round"]):
        contributions = sorted(swarm.view(f"/rounds/{number}")["contributions"], key=lambda one: one["index"])
        for i, one in enumerate(contributions):
            alone = [entries[i].get("own") for entries in scores.get(number, []) if i < len(entries)]
            found[keys[one["author"]]].append({"together": one["own_nanos"], "accepted": one["accepted"],
                                               "reason": one["reason"],
                                               "alone": [own for own in alone if own is not None]})
    return found


def row(name, rounds, window):
    together = [one["together"] > 0 for one in rounds if one["together"] is not None]
    alone = [own > 0 for one in rounds for own in one["alone"]]
    windows = [sum(together[i:i + window]) for i in range(len(together) - window + 1)]
    return {"member": name, "rounds": len(rounds), "accepted": sum(one["accepted"] for one in rounds),
            "measured": len(together), "better": sum(together), "measured_alone": len(alone),
            "better_alone": sum(alone), "fewest_in_window": min(windows, default=None),
            "idle_rounds": sum(one["reason"].startswith("own data") for one in rounds),
            "refused": count(one["reason"].split()[0] for one in rounds if not one["accepted"])}


def result(work, wanted):
    began = time.monotonic()
    swarm, keys = play(work, wanted)
    shown = swarm.view()
    found = measurements(swarm, keys)
    rows = [row(name, found[name], wanted.window) for name in keys.values()]
    honest = row("all honest", [one for name in keys.values() if name != "other-data" for one in found[name]],
                 wanted.window)
    del honest["fewest_in_window"]
    return {"parameters": {key: getattr(wanted, key) for key in ("honest", "validators", "shards", "window")},
            "model_parameters": shown["parameters"], "rounds": shown["round"],
            "loss_nats": [shown["loss"]["first_nanos"] / 1e9, shown["loss"]["last_nanos"] / 1e9],
            "seconds": time.monotonic() - began, "members": [*rows, honest]}


def as_text(said):
    percent = lambda part, whole: f"{100 * part / whole:.0f} %" if whole else "–"
    print(f"{said['parameters']}, {said['model_parameters']:,} parameters, {said['rounds']} rounds in "
          f"{said['seconds']:.0f} s; held-out loss {said['loss_nats'][0]:.4f} → {said['loss_nats'][1]:.4f} nats")
    print("| member | accepted | better on its own rows | … by one validator alone | fewest of any "
          f"{said['parameters']['window']} | rounds idle |")
    print("|---|---|---|---|---|---|")
    for one in said["members"]:
        fewest = one.get("fewest_in_window")
        print(f"| {one['member']} | {one['accepted']} of {one['rounds']} "
              f"| {one['better']} of {one['measured']}: {percent(one['better'], one['measured'])} "
              f"| {percent(one['better_alone'], one['measured_alone'])} "
              f"| {'–' if fewest is None else fewest} | {one['idle_rounds']} |")
    for one in said["members"]:
        print(f"{one['member']} was refused: {one['refused']}")


def main():
    wanted = options()
    measure("own-data", wanted, result, as_text)


if __name__ == "__main__":
    main()
