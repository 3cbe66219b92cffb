#!/usr/bin/env python3
"""How near trainings of the same link come (docs/audits.md, "Inexact classes").

usage: closeness.py [--steps N] [--torch PYTHON] [--exact TRAINER] [--json]

A small model is warmed up; then examples/torch_trainer.py trains N inner steps with one thread, and again
with one thing changed each time; both pseudo-gradients (weights before minus weights after) are compared
as an auditor does (spec/audit.md §6). PYTHON is one that has torch.
"""

import argparse
import json
import os
import subprocess
import tempfile

import numpy as np

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MODEL = {"context": 128, "ffn": 384, "heads": 4, "hidden": 128, "kv_heads": 2, "layers": 2, "norm_eps": "0.00001",
         "rope_theta": "10000", "tied": False, "vocab": 256}
INNER = {"batch": 16, "beta1": "0.9", "beta2": "0.99", "clip": "1", "eps": "0.00000001", "final": "0.1",
         "lr": "0.003", "warmup": 20, "weight_decay": "0.1"}
SEED, OTHER_SEED = "11" * 32, "22" * 32


class Trainer:
    def __init__(self, command, threads, folder):
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=environment)
        self.ask({"op": "hello", "protocol": 1, "model": MODEL, "threads": threads, "dir": folder})

    def ask(self, request):
        self.process.stdin.write(json.dumps({"id": 1, **request}) + "\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            reply = json.loads(line)
            if reply["op"] == "error":
                raise SystemExit(f"the trainer says: {reply['message']}")
            if reply["op"] != "progress":
                return reply
        raise SystemExit("the trainer ended")

    def train(self, base, out, shards, seed, steps, first_step=100):
        self.ask({"op": "train", "base": base, "state": None, "shards": shards, "seed": seed,
                  "first_step": first_step, "total_steps": 400, "inner": {**INNER, "steps": steps},
                  "out": out, "state_out": out + ".state"})

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def numbers(path):
    raw = open(path, "rb").read()
    size = int.from_bytes(raw[:8], "little")
    return np.frombuffer(raw[8 + size:], "<f4").astype(np.float64)


def closeness(told, made):
    cosine = told @ made / (np.linalg.norm(told) * np.linalg.norm(made))
    return min(1.0, float(cosine)), float(np.linalg.norm(told - made) / np.linalg.norm(made))


def texts(folder):
    """Two shards of the repository's own sources."""
    shards = [os.path.join(folder, name) for name in ("a.txt", "b.txt")]
    for shard, room in zip(shards, ("src/fold", "src/hub")):
        with open(shard, "wb") as out:
            for name in sorted(os.listdir(os.path.join(ROOT, room))):
                if name.endswith(".cpp"):
                    out.write(open(os.path.join(ROOT, room, name), "rb").read())
    return shards


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--steps", type=int, default=10)
    options.add_argument("--torch", default="/usr/bin/python3")
    options.add_argument("--exact", default=os.path.join(ROOT, "build/bin/harambee-trainer"))
    options.add_argument("--json", action="store_true")
    options = options.parse_args()
    torch = [options.torch, os.path.join(ROOT, "examples/torch_trainer.py")]
    with tempfile.TemporaryDirectory() as folder:
        mine, others = [[shard] for shard in texts(folder)]
        at = lambda name: os.path.join(folder, name)
        warm = Trainer([options.exact], 0, folder)
        warm.ask({"op": "init", "seed": SEED, "out": at("fresh")})
        warm.train(at("fresh"), at("base"), mine + others, SEED, 100, first_step=0)
        warm.close()
        runs = [("one thread", torch, 1, mine, SEED, options.steps), ("one thread again", torch, 1, mine, SEED, options.steps),
                ("two threads", torch, 2, mine, SEED, options.steps), ("three threads", torch, 3, mine, SEED, options.steps),
                ("harambee-trainer", [options.exact], 0, mine, SEED, options.steps),
                ("half of the steps", torch, 1, mine, SEED, options.steps // 2),
                ("other rows of the same shards", torch, 1, mine, OTHER_SEED, options.steps),
                ("another member's shards", torch, 1, others, SEED, options.steps)]
        made = None
        for name, command, threads, shards, seed, steps in runs:
            trainer = Trainer(command, threads, folder)
            trainer.train(at("base"), at("out"), shards, seed, steps)
            trainer.close()
            gradient = numbers(at("base")) - numbers(at("out"))
            if made is None:
                made = gradient
                continue
            cosine, distance = closeness(gradient, made)
            if options.json:
                print(json.dumps({"what": name, "cosine": cosine, "distance": distance}))
            else:
                print(f"{name:32} cosine {cosine:.9f}  distance {distance:.2g}", flush=True)


if __name__ == "__main__":
    main()
