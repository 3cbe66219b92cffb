#!/usr/bin/env python3
"""The same model, loss and AdamW in PyTorch: the judge of the exact trainer's gradients and the
yardstick of its speed.

  torch_step.py --check DIR     DIR holds model.json (the recipe's "model"), tokens.bin (u32 little
                                endian, rows of context + 1), weights.bin, gradients.bin (f32, the
                                flat vector) and loss.txt, as tests/trainer writes them; exit code
                                0 if they agree, 1 if not, 77 if PyTorch is missing.
  torch_step.py --bench [--threads N] [--batch B] [--context T] [--seconds S]
                                prints tokens per second of eager fp32 training.

OpenBLAS mistakes some processors: set OPENBLAS_CORETYPE to the fastest before measuring.
"""
import argparse
import json
import math
import os
import sys
import time

try:
    import torch
    import torch.nn.functional as F
except ImportError:
    print("PyTorch is not installed: skipped")
    sys.exit(77)


def shapes(c):
    head = c["hidden"] // c["heads"]
    h, f, kv = c["hidden"], c["ffn"], c["kv_heads"] * head
    s = {"model.embed_tokens.weight": (c["vocab"], h), "model.norm.weight": (h,)}
    if not c["tied"]:
        s["lm_head.weight"] = (c["vocab"], h)
    for i in range(c["layers"]):
        p = f"model.layers.{i}."
        s[p + "input_layernorm.weight"] = (h,)
        s[p + "post_attention_layernorm.weight"] = (h,)
        s[p + "self_attn.q_proj.weight"] = (h, h)
        s[p + "self_attn.k_proj.weight"] = (kv, h)
        s[p + "self_attn.v_proj.weight"] = (kv, h)
        s[p + "self_attn.o_proj.weight"] = (h, h)
        s[p + "mlp.gate_proj.weight"] = (f, h)
        s[p + "mlp.up_proj.weight"] = (f, h)
        s[p + "mlp.down_proj.weight"] = (h, f)
    return dict(sorted(s.items()))  # names sorted bytewise: the flat vector's order


def norm(x, w, eps):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps) * w


def rotate(x, cos, sin):
    a, b = x.chunk(2, -1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)


def loss_of(w, tokens, c):
    h, heads, kv = c["hidden"], c["heads"], c["kv_heads"]
    d, eps = h // heads, float(c["norm_eps"])
    rows, t = tokens.shape[0], tokens.shape[1] - 1
    frequency = 1.0 / (float(c["rope_theta"]) ** (torch.arange(0, d, 2).double() / d))
    angle = torch.arange(t).double()[:, None] * frequency
    dtype = w["model.norm.weight"].dtype
    cos, sin = angle.cos().to(dtype), angle.sin().to(dtype)
    mask = torch.full((t, t), float("-inf"), dtype=dtype).triu(1)
    x = F.embedding(tokens[:, :-1], w["model.embed_tokens.weight"])
    for i in range(c["layers"]):
        p = f"model.layers.{i}."
        y = norm(x, w[p + "input_layernorm.weight"], eps)
        q = F.linear(y, w[p + "self_attn.q_proj.weight"]).view(rows, t, heads, d).transpose(1, 2)
        k = F.linear(y, w[p + "self_attn.k_proj.weight"]).view(rows, t, kv, d).transpose(1, 2)
        v = F.linear(y, w[p + "self_attn.v_proj.weight"]).view(rows, t, kv, d).transpose(1, 2)
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        k, v = k.repeat_interleave(heads // kv, 1), v.repeat_interleave(heads // kv, 1)
        s = (q @ k.transpose(-1, -2)) * (1 / math.sqrt(d)) + mask
        o = (s.softmax(-1) @ v).transpose(1, 2).reshape(rows, t, h)
        x = x + F.linear(o, w[p + "self_attn.o_proj.weight"])
        y = norm(x, w[p + "post_attention_layernorm.weight"], eps)
        gate = F.silu(F.linear(y, w[p + "mlp.gate_proj.weight"]))
        y = gate * F.linear(y, w[p + "mlp.up_proj.weight"])
        x = x + F.linear(y, w[p + "mlp.down_proj.weight"])
    head = w["model.embed_tokens.weight" if c["tied"] else "lm_head.weight"]
    logits = F.linear(norm(x, w["model.norm.weight"], eps), head)
    return F.cross_entropy(logits.reshape(-1, c["vocab"]), tokens[:, 1:].reshape(-1))


def read(path, dtype):
    with open(path, "rb") as file:
        return torch.frombuffer(bytearray(file.read()), dtype=dtype)


def check(folder):
    """Against PyTorch in double precision: what is left is the exact trainer's own rounding."""
    with open(os.path.join(folder, "model.json")) as file:
        c = json.load(file)
    flat = read(os.path.join(folder, "weights.bin"), torch.float32).double()
    ours = read(os.path.join(folder, "gradients.bin"), torch.float32).double()
    tokens = read(os.path.join(folder, "tokens.bin"), torch.int32).long().view(-1, c["context"] + 1)
    with open(os.path.join(folder, "loss.txt")) as file:
        our_loss = float(file.read())
    w, at = {}, 0
    for name, shape in shapes(c).items():
        size = math.prod(shape)
        w[name] = flat[at:at + size].view(shape).clone().requires_grad_()
        at += size
    loss = loss_of(w, tokens, c)
    loss.backward()
    bad = abs(loss.item() - our_loss) > 1e-5
    worst, at = 0.0, 0
    for name, tensor in w.items():
        want, got = tensor.grad.reshape(-1), ours[at:at + tensor.numel()]
        error = ((want - got).norm() / (want.norm() + 1e-12)).item()
        worst = max(worst, error)
        if not error < 1e-4:
            print(f"{name}: relative error {error:.2e}")
            bad = True
        at += tensor.numel()
    print(f"loss {our_loss:.7f}, PyTorch {loss.item():.7f}; worst tensor's relative error {worst:.2e}")
    return 1 if bad else 0


def bench(threads, batch, context, seconds):
    torch.set_num_threads(threads)
    c = {"context": context, "ffn": 384, "heads": 4, "hidden": 128, "kv_heads": 2, "layers": 6,
         "norm_eps": "0.00001", "rope_theta": "10000", "tied": False, "vocab": 256}
    torch.manual_seed(0)
    w = {n: (torch.ones(s) if len(s) == 1 else torch.randn(s) * 0.02).requires_grad_()
         for n, s in shapes(c).items()}
    matrices = [p for p in w.values() if p.dim() > 1]
    norms = [p for p in w.values() if p.dim() == 1]
    optimizer = torch.optim.AdamW([{"params": matrices, "weight_decay": 0.1},
                                   {"params": norms, "weight_decay": 0.0}],
                                  lr=1e-3, betas=(0.9, 0.99), eps=1e-8, foreach=True)
    tokens = torch.randint(0, 256, (batch, context + 1))

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss_of(w, tokens, c).backward()
        torch.nn.utils.clip_grad_norm_(list(w.values()), 1.0)
        optimizer.step()

    step(), step()
    steps, wall, cpu = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - wall < seconds:
        step()
        steps += 1
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    n = steps * batch * context
    print(json.dumps({"batch": batch, "threads": threads, "tokens_per_second": round(n / wall),
                      "tokens_per_cpu_second": round(n / cpu), "torch": torch.__version__}))
    return 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", metavar="DIR")
    parser.add_argument("--bench", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--context", type=int, default=128)
    parser.add_argument("--seconds", type=float, default=5)
    a = parser.parse_args()
    if a.check:
        return check(a.check)
    if a.bench:
        return bench(a.threads, a.batch, a.context, a.seconds)
    parser.print_help()
    return 2


if __name__ == "__main__":
    sys.exit(main())
