#!/usr/bin/env python3
"""A trainer for tests: its "model" is good when every weight is 0.05, and it knows the way there.

usage: fake_trainer.py [MODE]; the modes are what a bad trainer may do to a node.
"""
import array, base64, hashlib, json, os, sys, time

MODE = sys.argv[1] if len(sys.argv) > 1 else "good"
GOAL = 0.05
CONTEXT = 0  # of the model, said in the greeting
TRAININGS = 0


def read(path):
    raw = open(path, "rb").read()
    size = 8 + int.from_bytes(raw[:8], "little")
    values = array.array("f")
    values.frombytes(raw[size:])
    return raw[:size], values


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)
    return hashlib.sha256(data).hexdigest()


def say(reply):
    sys.stdout.write(json.dumps(reply) + "\n")
    sys.stdout.flush()


def loss_of(values):
    return sum((v - GOAL) * (v - GOAL) for v in values) / len(values) * 1000


def step_tokens(q):
    return q["inner"]["batch"] * CONTEXT


def train(q):
    global TRAININGS
    TRAININGS += 1
    header, values = read(q["base"])
    steps = q["inner"]["steps"]
    if q["state"] and not open(q["state"], "rb").read().startswith(b"fake state"):
        if MODE == "brittle":
            os.abort()
        return say({"op": "error", "id": q["id"], "message": "not my state"})
    first = loss_of(values)
    for step in range(steps):
        if MODE == "crash" and step == 1:
            sys.stderr.write("the fake trainer is going to crash\n")
            sys.stderr.flush()
            os.abort()
        if MODE == "hang" and step == 1:
            time.sleep(3600)
        if MODE == "garbage" and step == 1:
            print("Loading libraries... done!", flush=True)
        if MODE == "longline" and step == 1:
            print("x" * (8 << 20), flush=True)
        if MODE == "slow":
            time.sleep(0.1)
        say({"op": "progress", "id": q["id"] + (1 if MODE == "wrongid" else 0), "step": step + 1,
             "loss": int(first * 1e9), "tokens": (step + 1) * step_tokens(q), "tokens_per_second": 1000})
    # Each seed pulls at another part of the weights, a little harder or softer, as different data
    # would: no two seeds give the same weights.
    part = (int(q["seed"][:8], 16) + (TRAININGS if MODE == "restless" else 0)) % 3
    pull = 0.1 + int(q["seed"][8:16], 16) / 2**32 * 0.02
    for i in range(len(values)):
        if i % 3 != part and MODE != "idle":
            values[i] += pull * (GOAL - values[i])
    if MODE == "nan":
        values[len(values) // 2] = float("nan")
    if MODE == "shape":
        header, values = header.replace(b"[256,", b"[128,"), values[: len(values) // 2]
    if MODE == "nofile":
        pass
    else:
        write(q["out"], header + values.tobytes())
    digest = write(q["state_out"], b"fake state " + q["seed"].encode())
    if MODE == "badstate":
        digest = "0" * 64
    say({"op": "done", "id": q["id"], "steps": steps, "tokens": steps * step_tokens(q) + (1 if MODE == "tokens" else 0), "loss_first": int(first * 1e9),
         "loss_last": int(loss_of(values) * 1e9) if MODE != "nan" else 0, "weights": q["out"],
         "state": q["state_out"], "state_digest": digest})


def evaluate(q):
    loss = int(loss_of(read(q["weights"])[1]) * 1e9)
    count = len(q["offsets"]) - (1 if MODE == "fewlosses" else 0)
    say({"op": "losses", "id": q["id"], "nanos": [loss] * count})


def generate(q):
    # Other weights, prompts or seeds, other text; any byte may be among it.
    raw = open(q["weights"], "rb").read()
    data = hashlib.sha256(raw + q["prompt"].encode() + q["seed"].encode()).digest()
    data = (data * (q["bytes"] // len(data) + 1))[: q["bytes"] + (1 if MODE == "manybytes" else 0)]
    say({"op": "text", "id": q["id"], "text": base64.b64encode(data).decode()})


def main():
    global CONTEXT
    if MODE == "exit":
        sys.exit(3)
    for line in sys.stdin:
        q = json.loads(line)
        if q["op"] == "bye":
            return
        if q["op"] == "hello":
            CONTEXT = q["model"]["context"]
            say({"op": "hello", "protocol": 2 if MODE == "future" else 1, "name": "fake", "version": "1",
                 "class": "exact-1" if MODE == "exact" else "fake-1", "parameters": 1, "device": "none"})
        elif q["op"] == "train":
            train(q)
        elif q["op"] == "evaluate":
            evaluate(q)
        elif q["op"] == "generate" and MODE != "mute":
            generate(q)
        else:
            say({"op": "error", "id": q.get("id"), "message": "not supported"})


main()
