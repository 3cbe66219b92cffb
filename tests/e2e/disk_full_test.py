"""Disks that fill up in the middle of a run, real ones (tmpfs in a mount namespace of its own): the
hub's until it takes neither uploads nor records, then to the last byte; a volunteer's. Room is made,
the run goes on, and it ends verified.
"""

import errno
import os
import subprocess
import sys

from harness import (SKIPPED, Swarm, check, main, run_json, small_recipe, some_text, wait_until,
                     workdir)

ROUNDS = 12
HUB_DISK_MB = 320  # the hub wants 256 free for uploads and 64 for records
VOLUNTEER_DISK_MB = 24
DISK = 7  # the exit code


def in_a_mount_namespace():
    """Starts itself again where it may mount; says so and skips where it may not."""
    if os.environ.get("HARAMBEE_IN_NAMESPACE"):
        return
    unshare = ["unshare", "--user", "--map-root-user", "--mount"]
    try:
        if subprocess.run([*unshare, "true"], capture_output=True).returncode != 0:
            raise FileNotFoundError
    except FileNotFoundError:
        print("this machine gives no mount namespace: skipped")
        sys.exit(SKIPPED)
    os.environ["HARAMBEE_IN_NAMESPACE"] = "1"
    os.execvp("unshare", [*unshare, sys.executable, *sys.argv])


def disk(path, megabytes):
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(path)],
                   check=True)


class Ballast:
    """A file that leaves `megabytes` of a disk free, or nothing at all."""

    def __init__(self, folder):
        self.path = folder / "ballast"

    def leave(self, megabytes):
        self.remove()
        with open(self.path, "wb") as file:
            while True:
                space = os.statvfs(self.path.parent)
                size = space.f_bavail * space.f_frsize - megabytes * 2**20
                try:
                    os.posix_fallocate(file.fileno(), 0, max(size, 1))
                    return
                except OSError as error:
                    # Somebody wrote between the look and the taking.
                    if error.errno != errno.ENOSPC:
                        raise
                    if size < 1:
                        return  # as full as can be

    def remove(self):
        self.path.unlink(missing_ok=True)


def times_said(swarm, words):
    """How often the roles have told their people so."""
    return sum(words in event.get("text", "")
               for process in (swarm.coordinator, swarm.validator, *swarm.volunteers)
               for event in list(process.events))


def volunteer_runs_out(swarm, volunteer, folder):
    ballast = Ballast(folder)
    volunteer.start()
    wait_until(lambda: any(e.get("rounds", 0) >= 1 for e in list(volunteer.events)), 60,
               "the volunteer's first round")
    ballast.leave(0)
    check(volunteer.wait(60) == DISK, f"exit {volunteer.process.returncode}: {volunteer.tail()}")
    text = volunteer.tail()
    check("No space left" in text or "disk is full" in text, f"the message does not say it: {text}")
    check("the same command" in text or "start" in text, f"no advice: {text}")
    ballast.remove()
    volunteer.start()


def hub_runs_out(swarm, folder):
    ballast = Ballast(folder)
    # No room for uploads; then not for a byte, and no record is taken.
    for free, words in ((200, "disk is nearly full"), (0, "the hub is busy (503)")):
        ballast.leave(free)
        before = times_said(swarm, words)
        wait_until(lambda: times_said(swarm, words) > before, 60,
                   f"somebody to say that {free} MB are left")
        check(swarm.hub.alive(), f"the hub ended: {swarm.hub.tail()}")
        stuck_in = swarm.status()["round"]
        check(stuck_in < ROUNDS - 2, "the run was over before the disk was full")
        ballast.remove()
        wait_until(lambda: swarm.status()["round"] > stuck_in, 60, "the run to go on")


def test():
    in_a_mount_namespace()
    with workdir("disk") as work:
        text = some_text(work / "text", 200)
        disk(work / "hub", HUB_DISK_MB)
        swarm = Swarm(work, small_recipe(work / "recipe.toml", ROUNDS, steps=8), text)
        disk(work / "volunteer-1", VOLUNTEER_DISK_MB)
        first = swarm.volunteer("volunteer-1")
        second = swarm.volunteer("volunteer-2")
        swarm.volunteers = [first, second]
        for process in (swarm.coordinator, swarm.validator, second):
            process.start()
        volunteer_runs_out(swarm, first, work / "volunteer-1")
        hub_runs_out(swarm, work / "hub")
        wait_until(swarm.finished, 180, "the run to finish")
        swarm.hub.interrupt()
        swarm.hub.wait(20)
        report = run_json("verify", "--data", work / "hub", "--dir", work / "audit")
        check(report["verified"], f"not verified: {report}")
        check(report["runs"][0]["rounds_replayed"] == ROUNDS, f"rounds: {report['runs']}")


main(test)
