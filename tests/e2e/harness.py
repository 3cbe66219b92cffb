"""What the end-to-end tests share. Python's standard library alone.

A test gets the folder of the programs as its first argument, works in a temporary folder, waits for
conditions with deadlines (never for a fixed time), and leaves no process behind.
"""

import atexit
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

SKIPPED = 77  # ctest's SKIP_RETURN_CODE
BIN = Path(sys.argv[1] if len(sys.argv) > 1 else "build/bin").resolve()
HARAMBEE = str(BIN / "harambee")

_processes = []


def kill_all():
    for process in _processes:
        process.kill()


atexit.register(kill_all)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def check(condition, message):
    if not condition:
        raise AssertionError(message)


def count(words):
    """How often each of them is there."""
    out = {}
    for word in words:
        out[word] = out.get(word, 0) + 1
    return out


def wait_until(condition, seconds, what):
    """Polls until condition() is true; returns its value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s in vain for: {what}")
        time.sleep(0.05)


@contextlib.contextmanager
def workdir(name):
    """A temporary folder; kept, and named, when the test fails or HARAMBEE_KEEP is set."""
    path = Path(tempfile.mkdtemp(prefix=f"harambee-{name}-"))
    try:
        yield path
    except BaseException:
        kill_all()
        print(f"everything of the failed test is in {path}", file=sys.stderr)
        raise
    kill_all()
    if os.environ.get("HARAMBEE_KEEP"):
        print(f"kept {path}", file=sys.stderr)
    else:
        shutil.rmtree(path, ignore_errors=True)


class Process:
    """A long-lived verb with --json: its lines are read as they come, stderr goes to a file. Each event
    gets "read_s", when it was read."""

    def __init__(self, name, arguments, log_dir):
        self.name = name
        self.arguments = [HARAMBEE, *map(str, arguments), "--json"]
        self.log = Path(log_dir) / f"{name}.log"
        self.events = []
        self.process = None
        self.starts = 0
        _processes.append(self)

    def start(self):
        check(not self.alive(), f"{self.name} runs already")
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.arguments, stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL,
                text=True, errors="replace")
        self.starts += 1
        threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True).start()
        return self

    def _read(self, stdout):
        for line in stdout:
            with contextlib.suppress(json.JSONDecodeError):
                event = json.loads(line)
                self.events.append({**event, "read_s": time.monotonic()})

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """SIGKILL, as a power cut."""
        if self.alive():
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def interrupt(self):
        if self.alive():
            self.process.send_signal(signal.SIGINT)

    def wait(self, seconds):
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not end in {seconds} s; see {self.log}") from None

    def event(self, kind, seconds):
        """The first event of that kind."""
        def find():
            for event in list(self.events):
                if event.get("event") == kind:
                    return event
            check(self.alive(), f"{self.name} ended, see {self.log}: {self.tail()}")
            return None
        return wait_until(find, seconds, f"{self.name} to say {kind}")

    def tail(self):
        with contextlib.suppress(OSError):
            return self.log.read_text(errors="replace")[-600:]
        return ""


def run(*arguments, seconds=300):
    """A verb that ends by itself."""
    return subprocess.run([HARAMBEE, *map(str, arguments)], capture_output=True, text=True,
                          errors="replace", timeout=seconds)


def run_json(*arguments, seconds=300, code=0):
    """A verb with --json: the last line as an object."""
    done = run(*arguments, "--json", seconds=seconds)
    check(done.returncode == code,
          f"harambee {' '.join(map(str, arguments))}: exit code {done.returncode}, expected {code}\n"
          f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    lines = done.stdout.strip().splitlines()
    check(lines, f"harambee {arguments[0]} --json printed nothing")
    return json.loads(lines[-1])


def processes_naming(path):
    """(pid, arguments) of the living processes that have this path in their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            arguments = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            if any(str(path) in argument for argument in arguments):
                found.append((int(entry.name), arguments))
    return found


def some_text(folder, kilobytes=600):
    """Text that is there on every machine: this project's own sources, or Python's library."""
    folder.mkdir(parents=True, exist_ok=True)
    left = kilobytes * 1024
    roots = [Path(__file__).resolve().parents[2] / "src", Path(os.__file__).parent]
    for root in roots:
        for path in sorted(root.rglob("*")):
            if left <= 0:
                return folder
            if path.suffix in (".cpp", ".h", ".py") and path.is_file() and path.stat().st_size < 2e5:
                data = path.read_bytes()
                (folder / f"{left:08}-{path.name}.txt").write_bytes(data)
                left -= len(data)
    check(left < kilobytes * 512, "there is not enough text on this machine")
    return folder


SMALL_RECIPE = """
rounds = {rounds}
min_contributions = 2
shards_per_member = 4
checkpoint_every = 4
commit_ms = 4000
reveal_ms = 4000
score_ms = 8000

[model]
hidden = 64
layers = 2
heads = 4
kv_heads = 2
ffn = 128
context = 64
tied = true

[warm]
steps = 60
batch = 8

[inner]
steps = {steps}
batch = 4
warmup = 4

[gate]
rows = 24
report = 24

[outer]
lr = 2.5
"""


def small_recipe(path, rounds, steps=6):
    path.write_text(SMALL_RECIPE.format(rounds=rounds, steps=steps))
    return path


class Swarm:
    """A hub, a coordinator, validators and volunteers from the ordinary verbs. No validators: only in
    a run without held-out text."""

    def __init__(self, work, recipe, text, validators=1):
        self.work = work
        self.logs = work / "logs"
        self.logs.mkdir()
        hub = self.process("hub", "hub", "--data", work / "hub", "--listen", "127.0.0.1:0",
                           "--tick-ms", 200).start()
        port = hub.event("started", 30)["port"]
        # Started again after a kill, it must be at the same address.
        hub.arguments[hub.arguments.index("127.0.0.1:0")] = f"127.0.0.1:{port}"
        self.url = f"http://127.0.0.1:{port}"
        self.hub = hub
        text = text if isinstance(text, list) else [text]
        names = ["validator", *(f"validator-{i}" for i in range(2, validators + 1))][:validators]
        keys = {role: self.key(role) for role in ("maintainer", "coordinator", *names)}
        self.keys = keys
        listed = [argument for name in names for argument in ("--validator", keys[name])]
        self.opened = run_json(
            "run", "open", "--hub", self.url, "--recipe", recipe, "--text", *text, "--name", "test",
            "--dir", work / "maintainer", "--key", self.key_file("maintainer"), "--coordinator",
            keys["coordinator"], *listed, "--threads", 2)
        self.run_url = f"{self.url}/runs/test"
        self.coordinator = self.role("coordinate", "coordinator")
        self.validators = [self.role("validate", name) for name in names]
        self.validator = self.validators[0] if names else None

    def process(self, name, *arguments):
        return Process(name, arguments, self.logs)

    def key_file(self, name):
        return self.work / name / "key.pem"

    def key(self, name):
        self.key_file(name).parent.mkdir(parents=True, exist_ok=True)
        return run_json("key", "new", self.key_file(name))["key"]

    def role(self, verb, name, *more):
        return self.process(name, verb, self.run_url, "--dir", self.work / name, "--key",
                            self.key_file(name), "--threads", 1, *more)

    def volunteer(self, name, *more):
        return self.role("join", name, *more)

    def status(self):
        return run_json("status", self.run_url, "--dir", self.work / "reader")

    def view(self, path=""):
        """The hub's JSON view of the run, or of what `path` names in it ("/rounds/3")."""
        request = urllib.request.Request(f"{self.url}/view/runs/test{path}")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())

    def finished(self):
        done = run("status", self.run_url, "--dir", self.work / "reader", "--json")
        if done.returncode != 0:
            return False  # the hub may be away at this moment
        return json.loads(done.stdout.strip().splitlines()[-1]).get("phase") == "finished"


def measure(name, wanted, result, as_text):
    """Of a script in bench/: result(folder, wanted) in a folder of its own, told as wanted.json says."""
    with tempfile.TemporaryDirectory(prefix=f"harambee-{name}-") as folder:
        try:
            said = result(Path(folder), wanted)
        except AssertionError as error:
            raise SystemExit(f"FAILED: {error}") from None
        finally:
            kill_all()
    if wanted.json:
        print(json.dumps(said))
    else:
        as_text(said)


def main(test):
    try:
        test()
    except AssertionError as error:
        print(f"FAILED: {error}", file=sys.stderr)
        sys.exit(1)
