"""Hugging Face's own clients against our hub: download, upload, from_pretrained, and the `hf`
program. Skipped where none is installed: HARAMBEE_INTEROP_CHROOT names a folder that
make_chroot.sh made (root only); without it this machine's Python is asked.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))
import llama  # noqa: E402
from harness import (SKIPPED, Swarm, check, main, run_json, small_recipe, some_text,  # noqa: E402
                     wait_until, workdir)

ROUNDS = 3
CHROOT = os.environ.get("HARAMBEE_INTEROP_CHROOT")
# A folder, where the clients are, with the package huggingface_hub of another version.
OLD_CLIENT = os.environ.get("HARAMBEE_INTEROP_OLD_CLIENT")


class Client:
    """Runs commands where the clients are."""

    def __init__(self, work):
        self.root = Path(CHROOT) if CHROOT else Path("/")
        self.home = Path("/tmp/harambee-interop") if CHROOT else work / "home"
        self.outside = Path(str(self.root) + str(self.home)) if CHROOT else self.home
        shutil.rmtree(self.outside, ignore_errors=True)
        self.outside.mkdir(parents=True)

    def words(self, command, env):
        settings = {"HOME": str(self.home), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8",
                    "HF_HUB_DISABLE_PROGRESS_BARS": "1", "TQDM_DISABLE": "1", **(env or {})}
        words = ["env", "-i", *(f"{key}={value}" for key, value in settings.items()),
                 *map(str, command)]
        if CHROOT:
            words = ["chroot", CHROOT, *words]
        return words

    def run(self, *command, env=None, seconds=600):
        return subprocess.run(self.words(command, env), capture_output=True, text=True,
                              timeout=seconds)

    def start(self, *command, env, output):
        return subprocess.Popen(self.words(command, env), stdin=subprocess.DEVNULL, stdout=output,
                                stderr=output)

    def must(self, *command, env):
        done = self.run(*command, env=env)
        print(f"$ {' '.join(map(str, command))}\n{done.stdout.rstrip()}", flush=True)
        check(done.returncode == 0, f"{command}: {done.returncode}\n{done.stderr[-4000:]}")
        return done.stdout

    def close(self):
        shutil.rmtree(self.outside, ignore_errors=True)


def skip_without_client():
    if CHROOT and os.geteuid() != 0:
        print("skipped: only root can use a chroot")
        sys.exit(SKIPPED)
    words = ["chroot", CHROOT, "/usr/bin/python3"] if CHROOT else ["python3"]
    asked = subprocess.run([*words, "-c", "import huggingface_hub"], capture_output=True)
    if asked.returncode != 0:
        print("skipped: huggingface_hub is not installed here; tests/interop/make_chroot.sh DIR, "
              "then HARAMBEE_INTEROP_CHROOT=DIR")
        sys.exit(SKIPPED)


def finished_run(work):
    """A hub with a finished run of a few rounds."""
    swarm = Swarm(work, small_recipe(work / "recipe.toml", ROUNDS, steps=4),
                  some_text(work / "text", 200))
    people = [swarm.coordinator, swarm.validator, *(swarm.volunteer(f"v{i}") for i in (1, 2))]
    for process in people:
        process.start()
    wait_until(swarm.finished, 300, "the run to finish")
    return swarm


def old_client(client, swarm, work):
    """The same with an older huggingface_hub, from its source."""
    if not OLD_CLIENT:
        print("SKIPPED the older client: HARAMBEE_INTEROP_OLD_CLIENT names no source of it")
        return
    key = ["--hub", swarm.url, "--key", swarm.key_file("v1"), "--dir", work / "old-desk"]
    token = run_json("token", "new", "--namespace", "bob", *key)
    # Another cache: otherwise nothing would be fetched again.
    env = {"HF_ENDPOINT": swarm.url, "HF_TOKEN": token["token"], "PYTHONPATH": OLD_CLIENT,
           "HF_HOME": client.home / "old-cache"}
    client.must("python3", client.home / "client.py", swarm.status()["weights"], ROUNDS, env=env)


def hf_program(client, env, space):
    """The `hf` command line."""
    folder = client.outside / "program"
    folder.mkdir()
    (folder / "a.txt").write_text("a\n")
    inside = client.home / "program"
    check(space in client.must("hf", "auth", "whoami", env=env), "whoami")
    client.must("hf", "repos", "create", f"{space}/cli", "--exist-ok", env=env)
    client.must("hf", "upload", f"{space}/cli", inside, env=env)
    client.must("hf", "download", f"{space}/cli", "--local-dir", client.home / "back", env=env)
    check((client.outside / "back" / "a.txt").read_text() == "a\n", "hf download")
    client.must("hf", "download", "runs/test", "--revision", f"round-{ROUNDS}", "--local-dir",
                client.home / "run", env=env)
    check((client.outside / "run" / "model.safetensors").exists(), "hf download of a run")


def test():
    skip_without_client()
    with workdir("interop") as work:
        client = Client(work)
        swarm = finished_run(work)
        key = ["--hub", swarm.url, "--key", swarm.key_file("maintainer"), "--dir", work / "desk"]
        token = run_json("token", "new", "--namespace", "alice", "--name", "interop", *key)
        env = {"HF_ENDPOINT": swarm.url, "HF_TOKEN": token["token"]}
        shutil.copy(HERE / "client.py", client.outside)
        weights = swarm.status()["weights"]
        client.must("python3", client.home / "client.py", weights, ROUNDS, env=env)
        old_client(client, swarm, work)
        hf_program(client, env, "alice")
        llama.compare(client, swarm, work)
        run_json("token", "revoke", token["id"][:12], *key)
        gone = client.run("hf", "auth", "whoami", env=env)
        check(gone.returncode != 0, "a revoked token is none")
        check(run_json("token", "list", *key)["tokens"][0]["revoked"], "token list")
        swarm.hub.interrupt()
        swarm.hub.wait(20)
        report = run_json("verify", "--data", work / "hub", "--dir", work / "audit")
        check(report["verified"], f"the log with uploads is not verified: {report}")
        client.close()


main(test)
