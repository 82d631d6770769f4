"""Hugging Face generate: Llama, fp32, prompts of 32 tokens, 64 new ones, sampling at temperature 1.

    generate.py LAYERS HEADS WIDTH INNER VOCAB BATCH THREADS      see serve.py
"""

import sys

import torch
from serve import serve_rounds
from transformers import LlamaConfig, LlamaForCausalLM

L, H, D, F, V, B, THREADS = map(int, sys.argv[1:8])
torch.set_num_threads(THREADS)
torch.manual_seed(0)
config = LlamaConfig(
    vocab_size=V, hidden_size=D, intermediate_size=F, num_hidden_layers=L, num_attention_heads=H,
    num_key_value_heads=H, max_position_embeddings=512, tie_word_embeddings=True,
    pad_token_id=None, eos_token_id=None, bos_token_id=1,
)  # fmt: skip
model = LlamaForCausalLM(config).eval()
ids = torch.randint(2, V, (B, 32))
mask = torch.ones_like(ids)
how = dict(do_sample=True, top_k=0, top_p=1.0, temperature=1.0, use_cache=True, pad_token_id=0)


def generate():
    answer = model.generate(ids, attention_mask=mask, max_new_tokens=64, **how)
    assert answer.shape == (B, 96)


serve_rounds(generate, warmups=1, facts={"params": sum(p.numel() for p in model.parameters())})
