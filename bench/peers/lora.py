"""transformers' Llama with peft's LoRA on every linear map, fp32, AdamW, clip 1; a round is one step.

    lora.py LAYERS HEADS KVHEADS WIDTH INNER VOCAB LENGTH BATCH RANK THREADS      see serve.py
"""

import itertools
import sys

import torch
from peft import LoraConfig, get_peft_model
from serve import serve_rounds
from transformers import LlamaConfig, LlamaForCausalLM

L, H, KV, D, INNER, V, T, B, RANK, THREADS = map(int, sys.argv[1:11])
torch.set_num_threads(THREADS)
torch.manual_seed(0)

config = LlamaConfig(
    num_hidden_layers=L,
    num_attention_heads=H,
    num_key_value_heads=KV,
    hidden_size=D,
    intermediate_size=INNER,
    vocab_size=V,
    max_position_embeddings=T,
    tie_word_embeddings=True,
    use_cache=False,
)
base = LlamaForCausalLM(config)
names = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
lora = LoraConfig(r=RANK, lora_alpha=2 * RANK, target_modules=names, task_type="CAUSAL_LM")
model = get_peft_model(base, lora)
trained = [p for p in model.parameters() if p.requires_grad]
optimizer = torch.optim.AdamW(trained, lr=1e-4, betas=(0.9, 0.99), weight_decay=0.0, fused=True)
batches = itertools.cycle([torch.randint(0, V, (2, B, T)) for _ in range(4)])


def train_step():
    ids, targets = next(batches)
    logits = model(input_ids=ids).logits
    loss = torch.nn.functional.cross_entropy(logits.view(-1, V), targets.view(-1))
    loss.backward()
    torch.nn.utils.clip_grad_norm_(trained, 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return {"loss": loss.item()}


serve_rounds(train_step, facts={"params": sum(p.numel() for p in trained)})
