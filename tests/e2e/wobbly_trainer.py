"""A trainer of an inexact class that needs nothing but harambee-trainer: it hands every line on, and
changes what was trained by a little, as another machine's rounding would. Its class is "wobbly-1".

usage: wobbly_trainer.py HARAMBEE-TRAINER [SEED [MODE]]
SEED: another one rounds otherwise. MODE: what a bad auditor's program may do: "fails" answers each
training with an error, "other" trains on other rows each time, "class" says another class. And what a
bad member's may do: "spoils" keeps something that is no state, and begins afresh each time.
"""

import array
import hashlib
import json
import random
import subprocess
import sys

SEED = int(sys.argv[2]) if len(sys.argv) > 2 else 0
MODE = sys.argv[3] if len(sys.argv) > 3 else ""
WOBBLE = 0.003  # of each weight's change


def read(path):
    with open(path, "rb") as file:
        raw = file.read()
    begin = 8 + int.from_bytes(raw[:8], "little")
    return raw[:begin], array.array("f", raw[begin:])


def wobble(base, out):
    """Changes the training's step, and with it the weights."""
    _, before = read(base)
    header, after = read(out)
    dice = random.Random(SEED)
    for i, value in enumerate(after):
        after[i] = value + (value - before[i]) * WOBBLE * (2 * dice.random() - 1)
    data = header + after.tobytes()
    with open(out, "wb") as file:
        file.write(data)
    return hashlib.sha256(data).hexdigest()


def spoil(path):
    data = b"no state of any program"
    with open(path, "wb") as file:
        file.write(data)
    return hashlib.sha256(data).hexdigest()


def main():
    trainer = subprocess.Popen([sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    trainings = 0
    for line in sys.stdin:
        asked = json.loads(line)
        training = asked.get("op") == "train"
        trainings += training
        if training and MODE == "fails":
            print(json.dumps({"op": "error", "id": asked["id"], "message": "I cannot"}), flush=True)
            continue
        if training and MODE == "spoils":
            asked["state"] = None
        if training and MODE == "other":
            asked["seed"] = hashlib.sha256(f"{asked['seed']} {trainings}".encode()).hexdigest()
        print(json.dumps(asked), file=trainer.stdin, flush=True)
        while asked.get("op") != "bye":
            answer = json.loads(trainer.stdout.readline())
            if answer.get("op") == "hello":
                answer.update({"name": "wobbly", "class": "steady-1" if MODE == "class" else "wobbly-1"})
            if training and answer.get("op") == "done":
                digest = wobble(asked["base"], asked["out"])
                if "weights_digest" in answer:
                    answer["weights_digest"] = digest
                if MODE == "spoils":
                    answer["state_digest"] = spoil(asked["state_out"])
            print(json.dumps(answer), flush=True)
            if answer.get("op") != "progress":
                break
    trainer.stdin.close()
    sys.exit(trainer.wait())


main()
