#!/usr/bin/env python3
"""The dashboard in a real browser, against a hub with a real (small) run.

Starts a hub, opens a run, and lets dashboard.mjs look at it in headless Chromium; when that asks
for it, the coordinator, a validator and volunteers begin, so that the page must follow by itself.
Skipped where Node, Chromium, the built dashboard or its packages are missing.

  dashboard_test.py BIN [--screenshots DIR] [--rounds N] [--volunteers N]
"""

import argparse
import json
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

from harness import (BIN, SKIPPED, Process, Swarm, check, main, run, run_json, small_recipe,  # noqa: E402
                     some_text, wait_until, workdir)

# Audits of every contribution; and time for them on any machine: phases end when all have done their part.
# What is sent is more than a run would send, so that the gate of so short a run sees what it gains.
AUDITED = """
[codec]
keep = 512

[judge]
auditors = 1
audit = 1
audit_newcomer = 1
own_rounds = 0
"""
WOBBLY = f"{sys.executable} {ROOT / 'tests/e2e/wobbly_trainer.py'} {BIN / 'harambee-trainer'}"

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("bin")
    parser.add_argument("--screenshots")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--volunteers", type=int, default=2)
    return parser.parse_args()


def needed():
    """Paths of Node and Chromium; ends the test as skipped where something is missing."""
    chromium = next(filter(None, map(shutil.which, CHROMIUM)), None)
    for what, there in (("node", shutil.which("node")), ("chromium", chromium),
                        ("web/dist (./dev build)", (ROOT / "web/dist/index.html").is_file()),
                        ("web/node_modules", (ROOT / "web/node_modules/playwright-core").is_dir())):
        if not there:
            print(f"skipped: {what} is missing")
            sys.exit(SKIPPED)
    return shutil.which("node"), chromium


def ask(url, method="GET"):
    with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=30) as answer:
        return json.loads(answer.read())


def fork_of(swarm, work):
    """Another history with the same key: what a hub that lies to some readers would keep."""
    swarm.hub.kill()
    shutil.copytree(work / "hub", work / "fork")
    swarm.hub.start()
    wait_until(lambda: len([e for e in swarm.hub.events if e["event"] == "started"]) == 2, 120,
               "the hub to start again")
    # While it reads its log its views are refused, and a browser calls that an error.
    wait_until(lambda: there(f"{swarm.url}/view/map"), 120, "the hub to have read its log")
    fork = Process("fork", ["hub", "--data", work / "fork", "--listen", "127.0.0.1:0",
                            "--tick-ms", 10], swarm.logs).start()
    url = f"http://127.0.0.1:{fork.event('started', 120)['port']}"
    wait_until(lambda: there(f"{url}/view/map"), 120, "the other history to be read")
    return url


def there(url):
    try:
        ask(url)
    except urllib.error.HTTPError:
        return False
    return True


def serve_model(swarm, work):
    """The first weights behind a server of ours; the hub is to know it when it starts again."""
    run_json("pull", f"{swarm.run_url}@0", work / "model", "--dir", work / "reader")
    server = Process("serve", ["serve", work / "model", "--name", "test", "--listen",
                               "127.0.0.1:0", "--threads", 1], swarm.logs).start()
    swarm.hub.arguments += ["--completions", server.event("started", 120)["url"]]


def add_baselines(swarm, work):
    """By the maintainer, in both forms; nobody else can, and saying it again changes nothing."""
    csv = work / "over rounds.csv"
    csv.write_text("round,loss\n0,2.5\n1,1.75\n3,1.25\n")
    curve = work / "curve.json"
    curve.write_text(json.dumps([{"tokens": 0, "loss": 2.5}, {"tokens": 1_000_000, "loss": 1.5}]))
    owner = ["--dir", work / "maintainer", "--key", swarm.key_file("maintainer")]
    first = run_json("baseline", swarm.run_url, csv, *owner)
    check(first["label"] == "over rounds" and first["points"] == 3, f"{first}")
    run_json("baseline", swarm.run_url, curve, "--label", "over tokens", *owner)
    check(run_json("baseline", swarm.run_url, csv, *owner) == first, "said twice")
    for arguments in ([curve, "--label", "over rounds", *owner],
                      [csv, "--label", "x", "--dir", work / "x", "--key",
                       swarm.key_file("coordinator")]):
        refused = run("baseline", swarm.run_url, *arguments)
        check(refused.returncode != 0, f"{arguments} was taken: {refused.stdout}")
    labels = [one["label"] for one in swarm.status()["baselines"]]
    check(labels == ["over rounds", "over tokens"], f"{labels}")


def fork_a_run(swarm, work):
    """Another run, which begins with the weights that the first has after two rounds."""
    run_json("pull", f"{swarm.run_url}@2", work / "second", "--dir", work / "reader")
    opened = run_json(
        "run", "open", "--hub", swarm.url, "--recipe", work / "recipe.toml", "--name", "second",
        "--weights", work / "second" / "model.safetensors", "--text", work / "text",
        "--dir", work / "second-maintainer", "--key", swarm.key_file("maintainer"))
    check(opened["loss_first_nanos"] == 0 and opened["tokens"] == 0, f"nothing was trained: {opened}")
    fork = run_json("status", opened["url"], "--dir", work / "reader")
    check(fork["parent"] == {"name": "test", "rounds": 2}, f"{fork['parent']}")


def grow(url, size):
    while ask(f"{url}/health")["size"] < size:
        ask(f"{url}/tick", "POST")


def audited_recipe(path, rounds):
    recipe = small_recipe(path, rounds, steps=10).read_text()
    recipe = recipe.replace("commit_ms = 4000", "commit_ms = 20000")
    path.write_text(recipe.replace("score_ms = 8000", "score_ms = 60000") + AUDITED)
    return path


def train(swarm, volunteers):
    swarm.validator.arguments += ["--audit-trainer", f"wobbly-1={WOBBLY} 1"]
    # One of an inexact class, there from the first round: its audits have numbers.
    wobbly = swarm.key("wobbly")
    swarm.volunteer("wobbly", "--trainer", f"{WOBBLY} 2").start()
    wait_until(lambda: any(one["key"] == wobbly for one in swarm.status()["members"]), 240,
               "the volunteer of an inexact class to join")
    swarm.coordinator.start()
    swarm.validator.start()
    for number in range(1, volunteers + 1):
        swarm.volunteer(f"volunteer-{number}").start()


def test():
    wanted = options()
    node, chromium = needed()
    with workdir("browser") as work:
        text = some_text(work / "text")
        swarm = Swarm(work, audited_recipe(work / "recipe.toml", wanted.rounds), text)
        if not ask(f"{swarm.url}/health"):
            raise AssertionError("no hub")
        with urllib.request.urlopen(swarm.url) as page:
            if b"/assets/" not in page.read():
                print("skipped: this hub was built without the dashboard")
                sys.exit(SKIPPED)
        serve_model(swarm, work)
        fork = fork_of(swarm, work)
        browser = subprocess.Popen(
            [node, str(ROOT / "tests/browser/dashboard.mjs"), swarm.url, fork, chromium,
             str(work / "profile"), wanted.screenshots or str(work / "images")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            for line in browser.stdout:
                said = json.loads(line) if line.startswith("{") else {}
                if said.get("event") == "train":
                    train(swarm, wanted.volunteers)
                elif said.get("event") == "baseline":
                    add_baselines(swarm, work)
                elif said.get("event") == "fork-run":
                    fork_a_run(swarm, work)
                elif said.get("event") == "grow-fork":
                    grow(fork, ask(f"{swarm.url}/health")["size"] + 5)
                    print("grown", file=browser.stdin, flush=True)
                else:
                    print(line, end="", flush=True)
            check(browser.wait(120) == 0, "the browser's part failed; see above")
        finally:
            browser.kill()


if __name__ == "__main__":
    main(test)
