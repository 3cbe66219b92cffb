"""`harambee demo` end to end, as a person runs it, but small; then the log is damaged on purpose.

On the way it is stopped with Ctrl-C, killed, and each of its processes is killed; it goes on.
Promised: every field of the last line; the cheat is excluded with its reason and earns nothing; the
killed and the late volunteer contribute; the audit passes and retrained contributions give the
committed bytes; whoever flips one byte of a stored entry, tile or blob makes `harambee verify` fail
and name the place.
"""

import hashlib
import json
import os
import random
import shutil
import signal
from pathlib import Path

from harness import (Process, check, main, processes_naming, run, run_json, some_text, wait_until,
                     workdir)

FIELDS = {
    "rounds": int, "volunteers": int, "parameters": int, "tokens": int, "loss_start": float,
    "loss_end": float, "loss_single_machine": float, "loss_data_parallel": float,
    "bytes_up_per_volunteer": int, "bytes_down_per_volunteer": int, "bytes_data_parallel": int,
    "excluded": list, "credits": list, "retrained": dict, "verified": bool, "weights": str,
    "model_dir": str, "hub_data_dir": str, "run_url": str,
}
BAD_INPUT = 3
NOT_FOUND = 4
VERIFY_FAILED = 5
CONFLICT = 6
INTERRUPTED = 130


def check_summary(summary):
    for field, kind in FIELDS.items():
        check(isinstance(summary.get(field), kind), f"{field} is {summary.get(field)!r}")
    check(summary["rounds"] == 14 and summary["volunteers"] == 4, "rounds or volunteers")
    check(summary["parameters"] >= 1_000_000, "the model is smaller than promised")
    check(summary["loss_end"] < summary["loss_start"], "training made the model worse")
    check(summary["verified"], "not verified")
    retrained = summary["retrained"]
    check(retrained["count"] > 0 and retrained["count"] == retrained["exact"],
          f"retrained: {retrained}")
    sent = summary["bytes_up_per_volunteer"]
    both = sent + summary["bytes_down_per_volunteer"]
    parallel = summary["bytes_data_parallel"]
    check(parallel >= 1000 * sent, f"sent {sent}, data-parallel {parallel}: {parallel / sent:.0f}×")
    check(2 * parallel >= 300 * both, f"both ways {both}: {2 * parallel / both:.0f}×")


def check_cheat(summary):
    check(len(summary["excluded"]) == 1, f"excluded: {summary['excluded']}")
    cheat = summary["excluded"][0]
    check(cheat["reason"], "excluded without a reason")
    check(cheat["name"] == "volunteer-4", f"the wrong one was excluded: {cheat}")
    amounts = {credit["key"]: float(credit["amount"]) for credit in summary["credits"]}
    check(amounts[cheat["key"]] == 0, "the cheat has earned credit")
    check(all(amount > 0 for key, amount in amounts.items() if key != cheat["key"]),
          f"somebody honest has earned nothing: {summary['credits']}")


def check_model(summary):
    model = Path(summary["model_dir"])
    for name in ("config.json", "model.safetensors", "tokenizer.json", "README.md"):
        check((model / name).is_file(), f"the model directory lacks {name}")
    digest = hashlib.sha256((model / "model.safetensors").read_bytes()).hexdigest()
    check(digest == summary["weights"], "model.safetensors is not the model of the log")


def check_baselines(summary, demo_dir):
    """Both comparisons are on the record: what verify reads in the hub's directory, and ours."""
    for name, loss in (("single", "loss_single_machine"), ("data-parallel", "loss_data_parallel")):
        points = json.loads((demo_dir / "baselines" / f"{name}.json").read_text())
        check(points[0]["tokens"] == 0 and len(points) > 4, f"the curve of {name}: {points}")
        check(abs(points[-1]["tokens"] - summary["tokens"]) < summary["tokens"] / 5,
              f"{name} took {points[-1]['tokens']} tokens, the volunteers {summary['tokens']}")
        check(abs(points[-1]["loss"] - summary[loss]) < 0.2, f"{name} ended elsewhere: {points}")


def one_of_each(hub):
    """One stored file of each kind, with the larger ones of each kind preferred."""
    files = [path for path in hub.rglob("*") if path.is_file() and path.stat().st_size > 0]
    kinds = {
        "entries": [p for p in files if "tile/entries" in p.as_posix()],
        "tile": [p for p in files if "tile/0" in p.as_posix()],
        "checkpoint": [hub / "checkpoint"],
        "blob": [p for p in files if "/blobs/" in p.as_posix()],
    }
    for kind, paths in kinds.items():
        check(paths, f"the hub stores no {kind}")
    return kinds


def damage(hub, work, random_source):
    kinds = one_of_each(hub)
    chosen = [kinds["checkpoint"][0], random_source.choice(kinds["entries"]),
              random_source.choice(kinds["tile"])]
    blobs = sorted(kinds["blob"], key=lambda path: path.stat().st_size)
    chosen += [blobs[0], blobs[-1], *random_source.sample(blobs, 3)]
    for path in chosen:
        copy = work / "damaged"
        shutil.copytree(hub, copy)
        victim = copy / path.relative_to(hub)
        victim.chmod(0o644)
        data = bytearray(victim.read_bytes())
        at = random_source.randrange(len(data))
        data[at] ^= 1 << random_source.randrange(8)
        victim.write_bytes(data)
        done = run("verify", "--data", copy, "--dir", work / "audit")
        where = path.relative_to(hub).as_posix()
        said = done.stdout + done.stderr
        check(done.returncode == VERIFY_FAILED,
              f"byte {at} of {where} flipped, and verify ended with {done.returncode}: {said}")
        named = path.name if "blobs" in where else where.split("/")[0]
        check(named in said, f"verify does not name {where}: {said[-1500:]}")
        shutil.rmtree(copy)


def check_refusals(work, demo_dir):
    again = run("demo", "--dir", demo_dir)
    check(again.returncode == CONFLICT and "--resume" in again.stderr,
          f"an earlier demo was not respected: {again.returncode} {again.stderr}")
    foreign = work / "foreign"
    foreign.mkdir()
    (foreign / "thesis.tex").write_text("years of work")
    refused = run("demo", "--dir", foreign, "--fresh")
    check(refused.returncode == CONFLICT, f"a foreign directory was taken: {refused.stderr}")
    check([p.name for p in foreign.iterdir()] == ["thesis.tex"], "a foreign directory was changed")
    fresh = work / "fresh"
    few = run("demo", "--dir", fresh, "--rounds", 3)
    check(few.returncode == BAD_INPUT and "--rounds 3" in few.stderr, f"--rounds 3: {few.stderr}")
    nowhere = run("demo", "--dir", fresh, "--text", work / "nowhere")
    check(nowhere.returncode == NOT_FOUND and "nowhere" in nowhere.stderr, nowhere.stderr)
    empty = work / "empty"
    empty.mkdir()
    nothing = run("demo", "--dir", fresh, "--text", empty)
    check(nothing.returncode == BAD_INPUT and "empty" in nothing.stderr, nothing.stderr)


def wait_for_round(demo, number):
    def reached():
        check(demo.alive(), f"the demo ended: {demo.tail()}")
        return any(event.get("event") == "round" and event["round"] >= number
                   for event in list(demo.events))
    wait_until(reached, 300, f"round {number}")


def nobody_left(demo_dir):
    wait_until(lambda: not processes_naming(demo_dir), 20, "all processes of the demo to end")


def kill_each(demo, demo_dir):
    """The hub and the two roles: the demo starts each again and says so."""
    for verb in ("hub", "coordinate", "validate"):
        victims = [pid for pid, arguments in processes_naming(demo_dir) if arguments[1] == verb]
        check(len(victims) == 1, f"{verb} runs {len(victims)} times")
        os.kill(victims[0], signal.SIGKILL)
        wait_until(lambda: [pid for pid, arguments in processes_naming(demo_dir)
                            if arguments[1] == verb and pid != victims[0]], 30, f"{verb} again")
    notes = [event["text"] for event in demo.events if event.get("event") == "note"]
    check(sum("started again" in note for note in notes) >= 3, f"nothing was said: {notes}")


def interrupted_demo(work, demo_dir):
    """The summary of a demo that is interrupted in every way there is."""
    text = some_text(work / "text")
    demo = Process("demo", ["demo", "--dir", demo_dir, "--text", text, "--volunteers", 4,
                            "--rounds", 14, "--seconds", 60], work).start()
    wait_for_round(demo, 2)
    demo.interrupt()
    check(demo.wait(60) == INTERRUPTED, f"Ctrl-C: exit code {demo.process.returncode}")
    check("--resume" in demo.tail(), f"it is not said how to go on: {demo.tail()}")
    nobody_left(demo_dir)
    demo = Process("demo-2", ["demo", "--dir", demo_dir, "--resume"], work).start()
    wait_for_round(demo, 5)
    kill_each(demo, demo_dir)
    wait_for_round(demo, 8)
    demo.kill()
    nobody_left(demo_dir)
    demo = Process("demo-3", ["demo", "--dir", demo_dir, "--resume"], work).start()
    check(demo.wait(400) == 0, f"the demo failed: {demo.tail()}")
    nobody_left(demo_dir)
    return demo.events[-1]


def test():
    with workdir("demo") as work:
        demo_dir = work / "demo"
        summary = interrupted_demo(work, demo_dir)
        print(json.dumps({k: v for k, v in summary.items() if k != "sample"}, indent=1))
        check_summary(summary)
        check_cheat(summary)
        check_model(summary)
        check_baselines(summary, demo_dir)
        hub = Path(summary["hub_data_dir"])
        report = run_json("verify", "--data", hub, "--dir", work / "audit", "--retrain", 2,
                          "--threads", 2)
        check(report["verified"], f"the audit of the data directory failed: {report}")
        damage(hub, work, random.Random(20))
        check_refusals(work, demo_dir)


main(test)
