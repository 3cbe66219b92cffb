"""llama.cpp against our hub: `llama-server -hf` takes a run's model from it, and says what our own
trainer says, to float error; our q8_0 is llama-quantize's. Left out where llama.cpp is missing."""

import atexit
import hashlib
import json
import shutil
import socket
import subprocess
import urllib.request

from harness import BIN, check, run_json, wait_until

LOSS_DIFFERENCE_MAX = 2e-5  # nats; both sum in float32, in other orders
ROWS = 3

READ_TENSORS = """
import hashlib, json, sys
from gguf import GGUFReader
print(json.dumps({t.name: hashlib.sha256(t.data.tobytes()).hexdigest()
                  for t in GGUFReader(sys.argv[1]).tensors}))
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def trainer_losses(model, text, offsets):
    """The mean loss of each row, in nats, by our own trainer."""
    config = json.loads((model / "config.json").read_text())
    sizes = {"hidden": "hidden_size", "layers": "num_hidden_layers", "heads": "num_attention_heads",
             "kv_heads": "num_key_value_heads", "ffn": "intermediate_size", "vocab": "vocab_size",
             "context": "max_position_embeddings"}
    recipe = {ours: config[theirs] for ours, theirs in sizes.items()}
    recipe.update(tied=config["tie_word_embeddings"], rope_theta=f"{config['rope_theta']:g}",
                  norm_eps=f"{config['rms_norm_eps']:f}".rstrip("0"))
    lines = [{"op": "hello", "protocol": 1, "model": recipe, "threads": 1, "dir": str(model)},
             {"op": "evaluate", "id": 1, "weights": str(model / "model.safetensors"),
              "files": [str(text)], "offsets": offsets},
             {"op": "bye"}]
    said = subprocess.run([BIN / "harambee-trainer"], capture_output=True, text=True, timeout=120,
                          input="".join(json.dumps(line) + "\n" for line in lines))
    answers = [json.loads(line) for line in said.stdout.splitlines()]
    losses = [answer for answer in answers if answer.get("op") == "losses"]
    check(losses, f"the trainer evaluates: {answers} {said.stderr}")
    return [nanos / 1e9 for nanos in losses[0]["nanos"]]


class Server:
    """A llama-server that fetches its model from a hub."""

    def __init__(self, client, hub):
        self.url = f"http://127.0.0.1:{free_port()}"
        self.log = client.outside / "llama.log"
        with open(self.log, "wb") as log:
            self.process = client.start(
                "llama-server", "-hf", "runs/test", "--host", "127.0.0.1", "--port",
                self.url.rsplit(":", 1)[1],
                # One more than the model's, so that a whole row is a prompt.
                "--override-kv", "llama.context_length=int:256", "-ctk", "f32", "-ctv", "f32", "-fa", "off", "-t", 1,
                env={"HF_ENDPOINT": hub}, output=log)
        atexit.register(self.process.kill)
        wait_until(self.healthy, 120, "llama-server to load the model of the run")

    def healthy(self):
        check(self.process.poll() is None, f"llama-server ended: {self.log.read_text()[-2000:]}")
        try:
            return self.ask("/health") == {"status": "ok"}
        except OSError:
            return False

    def ask(self, path, value=None):
        body = None if value is None else json.dumps(value).encode()
        request = urllib.request.Request(self.url + path, body,
                                         {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)

    def next_logprobs(self, tokens):
        answer = self.ask("/completion", {"prompt": tokens, "n_predict": 1, "n_probs": 256,
                                          "temperature": 1, "cache_prompt": True})
        top = answer["completion_probabilities"][0]["top_logprobs"]
        return {one["id"]: one["logprob"] for one in top}

    def loss(self, row):
        return sum(-self.next_logprobs(list(row[:i]))[row[i]]
                   for i in range(1, len(row))) / (len(row) - 1)

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


def same_losses(server, model, text):
    data = text.read_bytes()
    context = json.loads((model / "config.json").read_text())["max_position_embeddings"]
    offsets = [i * (len(data) - context - 1) // ROWS for i in range(ROWS)]
    for offset, ours in zip(offsets, trainer_losses(model, text, offsets), strict=True):
        theirs = server.loss(data[offset:offset + context + 1])
        check(abs(ours - theirs) < LOSS_DIFFERENCE_MAX, f"{ours} nats by us, {theirs} by llama.cpp")
        print(f"llama.cpp: {theirs:.6f} nats, ours: {ours:.6f}", flush=True)


def same_tokens(server):
    text = "def f(x):\n\treturn 'é€😀' \v 1234\r\n"
    check(server.ask("/tokenize", {"content": text})["tokens"] == list(text.encode()), "tokens")
    check(server.ask("/detokenize", {"tokens": list(text.encode())})["content"] == text, "text")


def same_quantization(client, swarm, work):
    """Each tensor of our q8_0 is the one that llama-quantize makes of our f32."""
    for kind in ("f32", "q8_0"):
        run_json("pull", swarm.run_url, work / "model", "--gguf", kind, "--dir", work / "reader")
        shutil.copy(work / "model" / f"model-{kind}.gguf", client.outside)
    inside = client.home
    done = client.run("llama-quantize", "--pure", inside / "model-f32.gguf",
                      inside / "theirs.gguf", "Q8_0")
    check(done.returncode == 0, f"llama-quantize: {done.stderr[-2000:]}")
    (client.outside / "tensors.py").write_text(READ_TENSORS)
    ours, theirs = (json.loads(client.run("python3", inside / "tensors.py", inside / name).stdout)
                    for name in ("model-q8_0.gguf", "theirs.gguf"))
    check(ours == theirs, "our q8_0 is not llama-quantize's")
    print(f"llama-quantize makes our q8_0: {len(ours)} tensors", flush=True)
    return work / "model"


def post(url, value):
    request = urllib.request.Request(url, json.dumps(value).encode(),
                                     {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        return response.headers["content-type"], response.read().decode()


def attached(hub):
    try:
        with urllib.request.urlopen(f"{hub}/view/try", timeout=10) as response:
            return json.load(response)
    except OSError:
        return {"attached": False}


def through_the_hub(server, swarm):
    """The dashboard's box asks the hub, and the hub asks this llama-server."""
    swarm.hub.interrupt()
    swarm.hub.wait(20)
    swarm.hub.arguments += ["--completions", server.url]
    swarm.hub.start()
    wait_until(lambda: attached(swarm.url)["attached"], 60, "the hub to have found llama-server")
    view = attached(swarm.url)
    check(view["chat"] and view["model"], f"what the page is told of llama-server: {view}")
    question = {"prompt": "#include ", "max_tokens": 12, "temperature": 0, "seed": 1}
    direct = json.loads(post(f"{server.url}/v1/completions", question)[1])
    passed = json.loads(post(f"{swarm.url}/v1/completions", question)[1])
    said = passed["choices"][0]["text"]
    check(said and said == direct["choices"][0]["text"], f"another text: {passed} {direct}")
    check(passed["usage"]["completion_tokens"] == 12, f"how much it wrote: {passed}")
    kind, events = post(f"{swarm.url}/v1/completions", question | {"stream": True})
    data = [line[6:] for line in events.splitlines() if line.startswith("data: ")]
    check(kind.startswith("text/event-stream") and data[-1] == "[DONE]", f"events: {events}")
    parts = [json.loads(one)["choices"] for one in data[:-1]]
    streamed = "".join(part[0]["text"] for part in parts if part)
    check(streamed == said, f"streamed {streamed!r}, else {said!r}")
    chat = json.loads(post(f"{swarm.url}/v1/chat/completions", {
        "messages": [{"role": "user", "content": "a"}], "max_tokens": 8, "temperature": 0})[1])
    check(chat["choices"][0]["message"]["role"] == "assistant", f"chat: {chat}")
    print(f"llama-server through the hub: {said!r}", flush=True)


def compare(client, swarm, work):
    if client.run("llama-server", "--version").returncode != 0:
        print("SKIPPED llama.cpp: it is not installed here")
        return
    model = same_quantization(client, swarm, work)
    server = Server(client, swarm.url)
    digest = hashlib.sha256((model / "model-f32.gguf").read_bytes()).hexdigest()
    fetched = [path for path in client.outside.rglob("*.gguf") if "runs--test" in str(path)]
    digests = {hashlib.sha256(path.resolve().read_bytes()).hexdigest() for path in fetched}
    check(digests == {digest}, f"the hub serves what `pull --gguf` writes: {fetched}")
    same_tokens(server)
    same_losses(server, model, sorted((work / "text").iterdir())[0])
    through_the_hub(server, swarm)
    server.stop()
