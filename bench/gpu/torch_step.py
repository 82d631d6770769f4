"""Milliseconds of a training step in PyTorch, eager and compiled, of the GPT that our side trains: products in f32
without tf32 or in bf16 (autocast), AdamW, clip 1. One JSON argument: layers, heads, width, length, batch, vocab,
products, steps. The model is that of ../peers/train.py, written here once more: this file travels alone."""

import json
import sys
import time

import torch
import torch.nn as nn
from torch.nn import functional as F

shape = json.loads(sys.argv[1])
L, H, D, T = shape["layers"], shape["heads"], shape["width"], shape["length"]
B, V, STEPS = shape["batch"], shape["vocab"], shape["steps"]
device = "cuda" if torch.cuda.is_available() else "cpu"
torch.manual_seed(0)


class Norm(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(D))

    def forward(self, x):
        return F.layer_norm(x, (D,), self.weight, None, 1e-5)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = Norm(), Norm()
        self.qkv = nn.Linear(D, 3 * D, bias=False)
        self.out = nn.Linear(D, D, bias=False)
        self.up = nn.Linear(D, 4 * D, bias=False)
        self.down = nn.Linear(4 * D, D, bias=False)

    def forward(self, x):
        q, k, v = self.qkv(self.norm1(x)).split(D, dim=2)
        q, k, v = (t.view(B, T, H, D // H).transpose(1, 2) for t in (q, k, v))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(B, T, D))
        return x + self.down(F.gelu(self.up(self.norm2(x)), approximate="tanh"))


class Gpt(nn.Module):
    def __init__(self):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(V, D), nn.Embedding(T, D)
        self.blocks = nn.ModuleList(Block() for _ in range(L))
        self.norm = Norm()

    def forward(self, ids, targets):
        x = self.wte(ids) + self.wpe(torch.arange(T, device=ids.device))
        for block in self.blocks:
            x = block(x)
        logits = F.linear(self.norm(x), self.wte.weight)
        return F.cross_entropy(logits.view(-1, V), targets.view(-1))


def step_ms(compiled):
    model = Gpt().to(device)
    run = torch.compile(model) if compiled else model
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.99), fused=True)
    ids, targets = torch.randint(0, V, (2, B, T), device=device)
    times = []
    for i in range(STEPS + 2):
        start = time.perf_counter()
        with torch.autocast(device, torch.bfloat16, enabled=shape["products"] == "bf16"):
            loss = run(ids, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        loss.item()
        times.append(1000 * (time.perf_counter() - start))
    return sorted(times[2:])[STEPS // 2]


figures = {"version": torch.__version__, "device": device, "eagerMs": step_ms(False)}
if device == "cuda":
    figures["compiledMs"] = step_ms(True)
print(json.dumps(figures))
