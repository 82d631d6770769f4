"""Hugging Face generate: Llama, fp32, 32-token prompts, 64 new tokens, sampling at temperature 1.

    peer_decode.py LAYERS HEADS WIDTH INNER VOCAB BATCH      then a number of runs per line on stdin
"""
import json, resource, sys, time
import torch
from transformers import LlamaConfig, LlamaForCausalLM

L, H, D, F, V, B = map(int, sys.argv[1:7])
torch.set_num_threads(int(sys.argv[7]) if len(sys.argv) > 7 else 2)
torch.manual_seed(0)
config = LlamaConfig(
    vocab_size=V, hidden_size=D, intermediate_size=F, num_hidden_layers=L, num_attention_heads=H,
    num_key_value_heads=H, max_position_embeddings=512, tie_word_embeddings=True,
    pad_token_id=None, eos_token_id=None, bos_token_id=1,
)
model = LlamaForCausalLM(config).eval()
ids = torch.randint(2, V, (B, 32))
mask = torch.ones_like(ids)
kw = dict(do_sample=True, top_k=0, top_p=1.0, temperature=1.0, use_cache=True, pad_token_id=0)
model.generate(ids, attention_mask=mask, max_new_tokens=8, **kw)
print(json.dumps({"params": sum(p.numel() for p in model.parameters())}), flush=True)
for line in sys.stdin:
    start, cpu = time.perf_counter(), time.process_time()
    for _ in range(int(line)):
        assert model.generate(ids, attention_mask=mask, max_new_tokens=64, **kw).shape == (B, 96)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "cpuSeconds": cpu, "rssMb": rss}), flush=True)
