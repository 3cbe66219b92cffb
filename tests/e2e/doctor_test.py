"""`harambee doctor`: a machine that can take part in a run, and one that is too slow for it."""

from harness import Swarm, check, main, run, run_json, small_recipe, some_text, workdir

REFUSED = 9
NOT_FOUND = 4


def findings(report):
    return {finding["name"]: finding for finding in report["findings"]}


def test():
    with workdir("doctor") as work:
        text = some_text(work / "text", 100)
        # 200,000 inner steps in a round of four seconds: no machine is that fast.
        swarm = Swarm(work, small_recipe(work / "hard.toml", 3, steps=200_000), text)
        report = run("doctor", swarm.run_url, "--json", "--dir", work / "state")
        check(report.returncode == REFUSED, f"exit {report.returncode}: {report.stderr}")
        check("BAD" not in report.stdout and "speed" in report.stderr, report.stderr)

        easy = small_recipe(work / "easy.toml", 3, steps=1)
        run_json("run", "open", "--hub", swarm.url, "--recipe", easy, "--text", text, "--name",
                 "easy", "--dir", work / "maintainer", "--key", swarm.key_file("maintainer"))
        report = run_json("doctor", f"{swarm.url}/runs/easy", "--dir", work / "state")
        found = findings(report)
        check(report["good"] and {"hub", "run", "clock", "memory", "disk", "trainer", "speed",
                                  "gpu"} <= set(found), f"{report}")
        check("agrees with the hub" in found["clock"]["text"], f"{found['clock']}")
        check("round 0 of 3" in found["run"]["text"], f"{found['run']}")

        none = run("doctor", f"{swarm.url}/runs/nothing", "--dir", work / "state")
        check(none.returncode == NOT_FOUND and "has no run" in none.stdout, none.stdout)
        broken = run("doctor", f"{swarm.url}/runs/easy", "--dir", work / "state", "--trainer",
                     "/bin/false")
        check(broken.returncode == REFUSED and "trainer" in broken.stderr, broken.stderr)


main(test)
