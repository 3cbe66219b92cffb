"""A run without held-out text: nothing is tried, nobody validates, and it comes to its end.

Promised: all text is trained on; the coordinator alone says what the blobs are, and closes by norms,
groups and the rule that needs no gate; what is malformed or never revealed is refused all the same; the
pages and verbs cope with a run of which nobody knows a loss; and anybody verifies what was said.
"""

import json
import urllib.request

from harness import SMALL_RECIPE, Swarm, check, main, run, run_json, some_text, wait_until, workdir

ROUNDS = 4
TEXTLESS = """
[gate]
rows = 0

[judge]
aggregate = "neighbours"
auditors = 0
"""


def test():
    with workdir("textless") as work:
        text = SMALL_RECIPE.format(rounds=ROUNDS, steps=4)
        recipe = work / "recipe.toml"
        recipe.write_text(text[:text.index("[gate]")] + text[text.index("[outer]"):] + TEXTLESS)
        both = work / "both.toml"
        both.write_text(recipe.read_text() + "void_rise = 0.5\n")
        refused = run("recipe", "show", both)
        check(refused.returncode != 0 and "nobody says what the loss is" in refused.stderr,
              f"a recipe that asks for both was taken: {refused}")
        shown = run_json("recipe", "show", recipe)
        check(shown["judge"]["own_rounds"] == 0 and shown["gate"]["report"] == 0, f"shown: {shown}")
        swarm = Swarm(work, recipe, some_text(work / "text", 200), validators=0)
        check(swarm.opened["heldout_bytes"] == 0, f"text was held out: {swarm.opened}")
        bad = swarm.key("mal")
        people = [swarm.volunteer(name) for name in ("ada", "ben", "cai")]
        people.append(swarm.volunteer("mal", "--misbehave", "malformed"))
        for process in [swarm.coordinator, *people]:
            process.start()
        wait_until(swarm.finished, 240, "the run to finish")
        for process in [swarm.coordinator, *people[:3]]:
            check(process.wait(60) == 0, f"{process.name} failed: {process.tail()}")
        status = swarm.status()
        check(status["loss_nanos"] is None, f"somebody said a loss: {status}")
        check(len(status["closed"]) == ROUNDS, f"rounds: {status['closed']}")
        for member in status["members"]:
            check((member["accepted"] == 0) == (member["key"] == bad), f"member: {member}")
        check(run("status", swarm.run_url, "--dir", work / "reader").returncode == 0, "status")
        told = run("explain", swarm.run_url, bad, "--dir", work / "reader").stdout
        check("rejected its contribution: malformed" in told, f"explain: {told}")
        for page in ("", "/rounds/0"):
            with urllib.request.urlopen(f"{swarm.url}/view/runs/test{page}", timeout=20) as answer:
                json.load(answer)
        swarm.hub.interrupt()
        swarm.hub.wait(20)
        report = run_json("verify", "--data", work / "hub", "--dir", work / "auditor", "--rescore", 2,
                          "--retrain", "all", "--threads", 2)
        check(report["verified"], f"not verified: {report}")
        check(report["rescored"] == report["rescored_exact"] == 2, f"scores: {report}")
        # Of a malformed delta nobody says that training gives other bytes: it was refused.
        accepted = sum(member["accepted"] for member in status["members"])
        check(report["retrained"] == report["retrained_exact"] == accepted, f"trained: {report}")


main(test)
