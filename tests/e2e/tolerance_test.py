"""Members of an inexact class train beside exact ones, and are audited by a tolerance.

Promised: a validator repeats them with the program that its own operator names for the class; honest
work is found near, though no bit of it is the same; who does half of its steps and says all is found
far by everybody who can look, and is suspended, never convicted, also if it keeps states that no program of
the class could go on from; nobody is called a liar, not even the
validator that has no such program; and a program that makes something else each time accuses nobody.
`verify --audits` does it again with a program for the class, and says what it left out without one.
"""

import sys
from pathlib import Path

from harness import BIN, Swarm, check, main, run, run_json, small_recipe, some_text, wait_until, workdir

ROUNDS = 4
WOBBLY = f"{sys.executable} {Path(__file__).with_name('wobbly_trainer.py')} {BIN / 'harambee-trainer'}"
EVERY_ONE = """
[judge]
auditors = 4
audit = 1
audit_newcomer = 1
own_rounds = 0
"""
CLASS = "--audit-trainer"


def standing(status, key):
    return next(member for member in status["members"] if member["key"] == key)


def refuses_what_is_of_another_class(swarm, work):
    for option, words in ((f"wobbly-1={WOBBLY} 0 class", "says that it is of class steady-1"),
                          ("wobbly-1", "give CLASS=COMMAND"),
                          (f"exact-1={WOBBLY}", "the exact class is repeated by --trainer")):
        refused = run("validate", swarm.run_url, "--dir", work / "refused", "--key",
                      swarm.key_file("validator"), CLASS, option)
        check(refused.returncode != 0 and words in refused.stderr, f"{option}: {refused}")


def test():
    with workdir("tolerance") as work:
        recipe = small_recipe(work / "recipe.toml", ROUNDS, steps=10)
        # Time enough for audits on any machine: phases end as soon as everybody has done its part.
        slow = recipe.read_text().replace("commit_ms = 4000", "commit_ms = 20000")
        recipe.write_text(slow.replace("score_ms = 8000", "score_ms = 60000") + EVERY_ONE)
        swarm = Swarm(work, recipe, some_text(work / "text", 200), validators=4)
        refuses_what_is_of_another_class(swarm, work)
        # Two can repeat the class, one cannot, and one has a program that never makes the same.
        for validator, option in zip(swarm.validators, ("1", "2", None, "3 other")):
            if option:
                validator.arguments += [CLASS, f"wobbly-1={WOBBLY} {option}"]
        keys = {name: swarm.key(name) for name in ("ada", "ben", "wob", "eve", "gil")}
        people = [swarm.volunteer("ada"), swarm.volunteer("ben"),
                  swarm.volunteer("wob", "--trainer", f"{WOBBLY} 7"),
                  swarm.volunteer("eve", "--trainer", f"{WOBBLY} 8", "--misbehave", "lazy"),
                  swarm.volunteer("gil", "--trainer", f"{WOBBLY} 9 spoils", "--misbehave", "lazy")]
        for process in [swarm.coordinator, *swarm.validators, *people]:
            process.start()
        wait_until(swarm.finished, 240, "the run to finish")
        for process in [swarm.coordinator, *swarm.validators, *people[:3]]:
            check(process.wait(120) == 0, f"{process.name} failed: {process.tail()}")
        status = swarm.status()
        told = {name: run("explain", swarm.run_url, key, "--dir", work / "reader").stdout
                for name, key in keys.items()}
        for name in ("eve", "gil"):
            lazy = standing(status, keys[name])
            check(lazy["class"] == "wobbly-1" and lazy["standing"] == "suspended", f"the lazy {name}: {lazy}")
            check(lazy["credit_micros"] > 0, f"a suspension takes nothing back: {lazy}")
            check("far: cosine" in told[name] and "convicted" not in told[name], told[name])
        for name in ("ada", "ben", "wob"):
            honest = standing(status, keys[name])
            check(honest["standing"] in ("active", "missed") and honest["accepted"] > 0,
                  f"{name} is honest: {honest}")
            check("suspended" not in told[name], f"{name} was suspended: {told[name]}")
        check("near: cosine 0.99" in told["wob"], told["wob"])
        for name in ("validator", "validator-2", "validator-3", "validator-4"):
            said = run("explain", swarm.run_url, swarm.keys[name], "--dir", work / "reader").stdout
            check("found to lie" not in said, f"{name} was called a liar: {said}")
            check("far: cosine" not in said or name in ("validator", "validator-2"), f"{name}: {said}")
        swarm.hub.interrupt()
        swarm.hub.wait(20)
        verify = ("verify", "--data", work / "hub", "--dir", work / "audit", "--audits", "--no-weights",
                  "--threads", 2)
        report = run_json(*verify, CLASS, f"wobbly-1={WOBBLY} 9")
        check(report["verified"] and report["audits_unrepeated"] == 0, f"with a program: {report}")
        check(report["audits_inexact"] > report["audits_near"] > 0, f"near and far: {report}")
        check(report["audit_disagreements"] == [], f"disagreements: {report}")
        without = run_json(*verify)
        check(without["verified"] and without["audits_unrepeated"] == report["audits_inexact"]
              and without["audits_inexact"] == 0 < without["audits"], f"without: {without}")


main(test)
