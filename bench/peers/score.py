"""Reward scoring with transformers: Llama sequence classification, fp32, inference mode.

    score.py LAYERS HEADS WIDTH INNER VOCAB BATCH LENGTH THREADS      see serve.py
"""

import sys

import torch
from serve import serve_rounds
from transformers import AutoModelForSequenceClassification, LlamaConfig

L, H, D, F, V, B, T, THREADS = map(int, sys.argv[1:9])
torch.set_num_threads(THREADS)
torch.manual_seed(0)
config = LlamaConfig(
    vocab_size=V, hidden_size=D, intermediate_size=F, num_hidden_layers=L, num_attention_heads=H,
    num_key_value_heads=H, max_position_embeddings=512, num_labels=1, pad_token_id=0,
)  # fmt: skip
model = AutoModelForSequenceClassification.from_config(config).eval()
ids = torch.randint(2, V, (B, T))
mask = torch.ones_like(ids)


def score():
    with torch.inference_mode():
        model(input_ids=ids, attention_mask=mask)


serve_rounds(score, facts={"params": sum(p.numel() for p in model.parameters())})
