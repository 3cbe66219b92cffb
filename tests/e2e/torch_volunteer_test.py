"""A volunteer on PyTorch trains in the same run beside exact ones. Skipped without python3-torch."""

import subprocess
import sys
from pathlib import Path

from harness import SKIPPED, Swarm, check, main, run_json, small_recipe, some_text, workdir

PYTHON = "/usr/bin/python3"  # Debian's, which has python3-torch if anything has
TRAINER = Path(__file__).resolve().parents[2] / "examples" / "torch_trainer.py"
ROUNDS = 4


def have_torch():
    try:
        return subprocess.run([PYTHON, "-c", "import torch"], capture_output=True,
                              timeout=120).returncode == 0
    except OSError:
        return False


def test():
    if not have_torch() or not TRAINER.is_file():
        print("skipped: /usr/bin/python3 has no torch (apt-get install python3-torch)")
        sys.exit(SKIPPED)
    with workdir("torch") as work:
        text = some_text(work / "text", 200)
        swarm = Swarm(work, small_recipe(work / "recipe.toml", ROUNDS), text)
        exact = [swarm.volunteer(f"exact-{i}", "--rounds", 0) for i in (1, 2)]
        torch = swarm.volunteer("torch", "--trainer", f"{PYTHON} {TRAINER}")
        everybody = [swarm.coordinator, swarm.validator, *exact, torch]
        for process in everybody:
            process.start()
        for process in everybody:
            check(process.wait(240) == 0, f"{process.name} failed: {process.tail()}")
        members = {m["key"]: m for m in swarm.status()["members"]}
        mine = members[torch.event("begin", 1)["key"]]
        check(mine["class"] != "exact-1", f"the PyTorch trainer claims to be exact: {mine}")
        check(mine["accepted"] >= 1, f"nothing of the PyTorch volunteer was accepted: {mine}")
        swarm.hub.interrupt()
        swarm.hub.wait(20)
        report = run_json("verify", "--data", work / "hub", "--dir", work / "audit", "--retrain",
                          "all", "--threads", 2)
        check(report["verified"] and report["retrained"] == report["retrained_exact"] > 0,
              f"the audit failed: {report}")


main(test)
