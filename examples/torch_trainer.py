#!/usr/bin/env python3
"""A Harambee trainer in PyTorch: JSON lines on stdin and stdout (spec/trainer-protocol.md).

    harambee join URL --trainer python3 examples/torch_trainer.py

It trains the same LLaMA from the same files in the same data order as harambee-trainer, but its
numbers depend on the machine, so its class is "torch-fp32" and nobody can replay it to the bit.
"""
import hashlib, json, math, os, sys, time
import numpy as np
import torch
import torch.nn.functional as F

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"

def read_weights(path):
    """safetensors: u64 length, a JSON header, little-endian numbers."""
    return read_tensors(path)[0]

def read_tensors(path):
    raw = open(path, "rb").read()
    size = int.from_bytes(raw[:8], "little")
    header, tensors = json.loads(raw[8:8 + size]), {}
    metadata = header.pop("__metadata__", {})
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        flat = np.frombuffer(raw[8 + size + begin:8 + size + end], "<f4").copy()
        tensors[name] = torch.from_numpy(flat).reshape(entry["shape"]).to(DEVICE)
    return tensors, metadata

def write_file(path, parts):
    digest = hashlib.sha256()
    with open(path + ".new", "wb") as file:
        for part in parts:
            file.write(part)
            digest.update(part)
    os.replace(path + ".new", path)
    return digest.hexdigest()

def write_weights(path, tensors, metadata={"format": "pt"}):
    header, offset, names = {"__metadata__": metadata}, 0, sorted(tensors)
    for name in names:
        size = 4 * tensors[name].numel()
        header[name] = {"dtype": "F32", "shape": list(tensors[name].shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    data = [tensors[name].detach().cpu().numpy().astype("<f4").tobytes() for name in names]
    return write_file(path, [len(text).to_bytes(8, "little"), text] + data)

# The optimizer's state is a safetensors file too, never a pickle: who audits this class is given the
# states of strangers, and a pickle would run whatever is in it.
def read_state(path, p):
    """What AdamW knows of each parameter; ValueError if it is not such a file."""
    tensors, metadata = read_tensors(path)
    step = float(int(metadata["step"]))
    state = {}
    for i, name in enumerate(sorted(p)):
        pair = {kind: tensors.pop(f"{name}.{kind}") for kind in ("exp_avg", "exp_avg_sq")}
        for kind, tensor in pair.items():
            if tensor.shape != p[name].shape or not torch.isfinite(tensor).all():
                raise ValueError(f"the state has no sound {name}.{kind}")
        if (pair["exp_avg_sq"] < 0).any():
            raise ValueError(f"the state has no sound {name}.exp_avg_sq")
        state[i] = {"step": torch.tensor(step), **pair}
    if tensors or step < 0:
        raise ValueError("the state is another model's")
    return state

def write_state(path, p, adam):
    known = {name: adam.state[p[name]] for name in sorted(p)}
    tensors = {f"{name}.{kind}": known[name][kind] for name in known for kind in ("exp_avg", "exp_avg_sq")}
    step = next(iter(known.values()))["step"]
    return write_weights(path, tensors, {"format": "adamw-1", "step": str(int(step))})

def rows_at(text, offsets, context):
    """(rows, context + 1) bytes as tokens."""
    if max(offsets) + context + 1 > len(text):
        raise ValueError("a row lies beyond the end of the text")
    return torch.from_numpy(np.stack([text[o:o + context + 1] for o in offsets]).astype(np.int64)).to(DEVICE)

def draw(seed, step, row):
    return int.from_bytes(hashlib.sha256(seed + step.to_bytes(8, "big") + row.to_bytes(8, "big")).digest()[:8], "big")

def row_losses(p, model, tokens):
    """Mean cross-entropy of each row, in nats."""
    x, targets = tokens[:, :-1], tokens[:, 1:]
    (B, T), D, H, K = x.shape, model["hidden"], model["heads"], model["kv_heads"]
    d, eps = D // H, float(model["norm_eps"])
    norm = lambda h, w: h * torch.rsqrt(h.pow(2).mean(-1, keepdim=True) + eps) * w
    angles = torch.outer(torch.arange(T, dtype=torch.float32, device=DEVICE),
                         float(model["rope_theta"]) ** (-torch.arange(0, d, 2, device=DEVICE).float() / d))
    cos, sin = torch.cat([angles, angles], -1).cos(), torch.cat([angles, angles], -1).sin()
    rope = lambda t: t * cos + torch.cat([-t[..., d // 2:], t[..., :d // 2]], -1) * sin
    hidden = F.embedding(x, p["model.embed_tokens.weight"])
    mask = torch.full((T, T), float("-inf"), device=DEVICE).triu(1)
    for i in range(model["layers"]):
        w = lambda name: p[f"model.layers.{i}.{name}.weight"]
        h = norm(hidden, w("input_layernorm"))
        q = rope((h @ w("self_attn.q_proj").T).view(B, T, H, d).transpose(1, 2))
        k = rope((h @ w("self_attn.k_proj").T).view(B, T, K, d).transpose(1, 2)).repeat_interleave(H // K, 1)
        v = (h @ w("self_attn.v_proj").T).view(B, T, K, d).transpose(1, 2).repeat_interleave(H // K, 1)
        attention = F.softmax(q @ k.transpose(-1, -2) / math.sqrt(d) + mask, -1) @ v
        hidden = hidden + attention.transpose(1, 2).reshape(B, T, D) @ w("self_attn.o_proj").T
        h = norm(hidden, w("post_attention_layernorm"))
        gated = F.silu(h @ w("mlp.gate_proj").T) * (h @ w("mlp.up_proj").T)
        hidden = hidden + gated @ w("mlp.down_proj").T
    out = p["model.embed_tokens.weight"] if model["tied"] else p["lm_head.weight"]
    logits = norm(hidden, p["model.norm.weight"]) @ out.T
    return F.cross_entropy(logits.transpose(1, 2), targets, reduction="none").mean(1)

def rate(inner, g, total):
    lr, final, warmup = float(inner["lr"]), float(inner["final"]), inner["warmup"]
    if g < warmup:
        return lr * (g + 1) / warmup
    if total <= warmup or g >= total:
        return lr * final
    return lr * (final + (1 - final) * 0.5 * (1 + math.cos(math.pi * (g - warmup) / (total - warmup))))

def train(q, model):
    p, inner, context = read_weights(q["base"]), q["inner"], model["context"]
    text, seed, names = np.concatenate([np.fromfile(f, np.uint8) for f in q["shards"]]), bytes.fromhex(q["seed"]), sorted(p)
    decay = float(inner["weight_decay"])
    groups = [{"params": [p[n].requires_grad_()], "weight_decay": decay if p[n].dim() > 1 else 0.0} for n in names]
    adam = torch.optim.AdamW(groups, lr=0.0, betas=(float(inner["beta1"]), float(inner["beta2"])), eps=float(inner["eps"]))
    if q["state"]:
        adam.load_state_dict({"state": read_state(q["state"], p), "param_groups": adam.state_dict()["param_groups"]})
    losses, begin = [], time.time()
    for step in range(inner["steps"]):
        offsets = [draw(seed, step, row) % (len(text) - context) for row in range(inner["batch"])]
        loss = row_losses(p, model, rows_at(text, offsets, context)).mean()
        adam.zero_grad()
        loss.backward()
        if float(inner["clip"]) > 0:
            torch.nn.utils.clip_grad_norm_(list(p.values()), float(inner["clip"]))
        for group in adam.param_groups:
            group["lr"] = rate(inner, q["first_step"] + step, q["total_steps"])
        adam.step()
        losses.append(loss.item())
        tokens = (step + 1) * inner["batch"] * context
        answer({"op": "progress", "id": q["id"], "step": step + 1, "loss": nanos(losses[-1]), "tokens": tokens,
                "tokens_per_second": int(tokens / max(time.time() - begin, 1e-6))})
    digest = write_state(q["state_out"], p, adam)
    write_weights(q["out"], p)
    return {"op": "done", "id": q["id"], "steps": inner["steps"], "tokens": tokens, "loss_first": nanos(losses[0]),
            "loss_last": nanos(losses[-1]), "weights": q["out"], "state": q["state_out"], "state_digest": digest}

def evaluate(q, model):
    p, text = read_weights(q["weights"]), np.concatenate([np.fromfile(f, np.uint8) for f in q["files"]])
    with torch.no_grad():
        losses = [loss for i in range(0, len(q["offsets"]), 16) for loss in
                  row_losses(p, model, rows_at(text, q["offsets"][i:i + 16], model["context"])).tolist()]
    return {"op": "losses", "id": q["id"], "nanos": [nanos(loss) for loss in losses]}

def nanos(nats):
    return round(nats * 1e9)  # NaN and infinity raise

def answer(reply):
    print(json.dumps(reply), flush=True)

def main():
    model = None
    for line in sys.stdin:
        q = {}
        try:
            q = json.loads(line)
            if q["op"] == "bye":
                return
            if q["op"] == "hello":
                model = q["model"]
                torch.set_num_threads(max(1, q["threads"]))
                D, kv = model["hidden"], model["hidden"] // model["heads"] * model["kv_heads"]
                parameters = model["layers"] * (2 * D + 2 * D * D + 2 * D * kv + 3 * D * model["ffn"]) + D
                parameters += model["vocab"] * D * (1 if model["tied"] else 2)
                answer({"op": "hello", "protocol": 1, "name": "torch-trainer", "version": torch.__version__,
                        "class": "torch-fp32", "parameters": parameters, "device": DEVICE})
            elif q["op"] in ("train", "evaluate"):
                answer((train if q["op"] == "train" else evaluate)(q, model))
            else:
                raise ValueError(f"{q['op']} is not supported by this trainer")
        except Exception as error:  # the process lives on
            answer({"op": "error", "id": q.get("id") if isinstance(q, dict) else None, "message": f"{type(error).__name__}: {error}"})

main()
