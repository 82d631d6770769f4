"""Reward scoring with transformers: Llama sequence classification, fp32, inference mode.

    peer_score.py LAYERS HEADS WIDTH INNER VOCAB BATCH LENGTH      then a number of batches per line
"""
import json, resource, sys, time
import torch
from transformers import AutoModelForSequenceClassification, LlamaConfig

L, H, D, F, V, B, T = map(int, sys.argv[1:8])
torch.set_num_threads(int(sys.argv[8]) if len(sys.argv) > 8 else 2)
torch.manual_seed(0)
config = LlamaConfig(
    vocab_size=V, hidden_size=D, intermediate_size=F, num_hidden_layers=L, num_attention_heads=H,
    num_key_value_heads=H, max_position_embeddings=512, num_labels=1, pad_token_id=0,
)
model = AutoModelForSequenceClassification.from_config(config).eval()
ids = torch.randint(2, V, (B, T))
mask = torch.ones_like(ids)
with torch.inference_mode():
    for _ in range(3):
        model(input_ids=ids, attention_mask=mask)
    print(json.dumps({"params": sum(p.numel() for p in model.parameters())}), flush=True)
    for line in sys.stdin:
        start, cpu = time.perf_counter(), time.process_time()
        for _ in range(int(line)):
            model(input_ids=ids, attention_mask=mask)
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"seconds": seconds, "cpuSeconds": cpu, "rssMb": rss}), flush=True)
