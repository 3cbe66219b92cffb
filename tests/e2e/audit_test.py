"""Every contribution of a small run is trained again by an auditor that the log's root picks.

A volunteer does half of its inner steps and says all: its contributions make the model better, so no
score shows it. Promised: two auditors convict it, its credit is gone and nobody has it; honest
volunteers reveal their states when they are asked, and none is ever suspended; `verify --audits` does
it all again and finds that every auditor told the truth.
"""

from harness import Swarm, check, main, run, run_json, small_recipe, some_text, wait_until, workdir

ROUNDS = 7
EVERY_ONE = """
[judge]
auditors = 1
audit = 1
audit_newcomer = 1
"""


def standing(status, key):
    return next(member for member in status["members"] if member["key"] == key)


def dispute_by_hand(swarm, status, keys, work):
    """A member calls all auditors on work of the last round, which is not drawn; and only once."""
    told = run_json("explain", swarm.run_url, "round", ROUNDS - 1, "--dir", work / "reader")["reasons"]
    for author, other in (("ada", "ben"), ("ben", "ada")):
        said = f"contribution of {keys[author][:12]}: accepted"
        ids = [reason["id"] for reason in told if reason["sentence"].startswith(said)]
        if ids:
            break
    check(ids, f"neither was accepted in the last round: {told}")
    arguments = ("dispute", swarm.run_url, ids[0][:16], "--dir", work / "reader", "--key",
                 swarm.key_file(other))
    if standing(status, keys[other])["accepted"] < 3:
        refused = run(*arguments)
        check(refused.returncode == 9 and "only established members" in refused.stderr, f"{refused}")
        return
    disputed = run_json(*arguments)
    check(disputed["auditors"] == 2 and disputed["contribution"] == ids[0], f"dispute: {disputed}")
    again = run(*arguments)
    check(again.returncode == 9 and "all auditors have been called" in again.stderr, f"again: {again}")
    told = run("explain", swarm.run_url, ids[0], "--dir", work / "reader").stdout
    check("disputed it" in told, f"explain: {told}")


def test():
    with workdir("audit") as work:
        recipe = small_recipe(work / "recipe.toml", ROUNDS)
        recipe.write_text(recipe.read_text() + EVERY_ONE)
        text = some_text(work / "text", 200)
        # Another language: the same words backwards.
        (work / "other").mkdir()
        backwards = "".join(file.read_text(errors="replace") for file in sorted(text.iterdir()))[::-1]
        (work / "other" / "text.txt").write_text(backwards[:100_000])
        swarm = Swarm(work, recipe, [text, f"backwards={work / 'other'}"], validators=2)
        keys = {name: swarm.key(name) for name in ("ada", "ben", "eve")}
        people = [swarm.volunteer("ada"), swarm.volunteer("ben"),
                  swarm.volunteer("eve", "--misbehave", "lazy")]
        for process in [swarm.coordinator, *swarm.validators, *people]:
            process.start()
        wait_until(swarm.finished, 240, "the run to finish")
        for process in [swarm.coordinator, *swarm.validators, *people[:2]]:
            check(process.wait(60) == 0, f"{process.name} failed: {process.tail()}")
        status = swarm.status()
        eve = standing(status, keys["eve"])
        check(eve["standing"] == "convicted", f"the forger's standing: {eve}")
        check("2 of 2 auditors made the same other bytes" in eve["reason"], f"reason: {eve}")
        check(eve["credit_micros"] == 0, f"the forger has kept credit: {eve}")
        check(status["distributed_micros"] == sum(status["credits_micros"].values()),
              "credits do not add up")
        for name in ("ada", "ben"):
            honest = standing(status, keys[name])
            check(honest["standing"] == "active" or honest["standing"] == "missed",
                  f"{name} is honest: {honest}")
            check(honest["accepted"] > 0 and honest["credit_micros"] > 0, f"{name}: {honest}")
            told = run("explain", swarm.run_url, keys[name], "--dir", work / "reader").stdout
            check("suspended" not in told, f"{name} was suspended: {told}")
            check("revealed the states before" in told, f"{name} revealed nothing: {told}")
            check("passed" in told, f"no audit of {name} passed: {told}")
        told = run("explain", swarm.run_url, keys["eve"], "--dir", work / "reader").stdout
        for words in ("differs", "suspended", "convicted of forgery", "forfeited"):
            check(words in told, f"explain does not say {words!r}: {told}")
        dispute_by_hand(swarm, status, keys, work)
        swarm.hub.interrupt()
        swarm.hub.wait(20)
        report = run_json("verify", "--data", work / "hub", "--dir", work / "auditor", "--audits",
                          "--rescore", 2, "--threads", 2)
        check(report["verified"], f"not verified: {report}")
        check(report["rescored"] == report["rescored_exact"] == 2, f"scores: {report}")
        check(report["audits"] > ROUNDS and report["audits_forged"] >= 1, f"audits: {report}")


main(test)
