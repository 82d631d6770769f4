"""PyTorch eager training of a GPT (nanoGPT's block: LayerNorm without bias, GELU(tanh), tied embeddings,
scaled_dot_product_attention), fp32, AdamW, clip 1. One line in, one measurement out:

    peer_train.py LAYERS HEADS WIDTH LENGTH BATCH VOCAB      then one line on stdin per measured block
"""
import json, resource, sys, time
import torch
import torch.nn as nn
from torch.nn import functional as F

L, H, D, T, B, V = map(int, sys.argv[1:7])
threads = int(sys.argv[7]) if len(sys.argv) > 7 else 2
torch.set_num_threads(threads)
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
        for p in self.parameters():
            if p.dim() >= 2:
                nn.init.normal_(p, 0, 0.02)

    def forward(self, ids, targets):
        x = self.wte(ids) + self.wpe(torch.arange(T))
        for block in self.blocks:
            x = block(x)
        logits = F.linear(self.norm(x), self.wte.weight)
        return F.cross_entropy(logits.view(-1, V), targets.view(-1))


model = Gpt()
decay = [p for p in model.parameters() if p.dim() >= 2]
other = [p for p in model.parameters() if p.dim() < 2]
groups = [{"params": decay, "weight_decay": 0.1}, {"params": other, "weight_decay": 0.0}]
optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99), fused=True)
batches = [torch.randint(0, V, (2, B, T)) for _ in range(4)]


def step(i):
    loss = model(*batches[i % 4])
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return loss.item()


for i in range(3):
    step(i)
numel = sum(p.numel() for p in model.parameters())
print(json.dumps({"params": numel, "torch": torch.__version__}), flush=True)
for line in sys.stdin:
    steps = int(line)
    start, cpu = time.perf_counter(), time.process_time()
    for i in range(steps):
        loss = step(i)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "loss": loss, "cpuSeconds": cpu, "rssMb": rss}), flush=True)
