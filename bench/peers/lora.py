"""transformers' Llama with peft's LoRA on every linear map, fp32, AdamW, clip 1; a round is one step: sft of tokens,
or dpo of one pair (Rafailov et al. 2023), whose reference is the model without its adapters, as trl's DPOTrainer
has it.

    lora.py LAYERS HEADS KVHEADS WIDTH INNER VOCAB LENGTH BATCH RANK THREADS STAGE      see serve.py
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


def sft_loss(ids, targets):
    logits = model(input_ids=ids).logits
    return torch.nn.functional.cross_entropy(logits.view(-1, V), targets.view(-1))


def answer_log_probs(ids):
    """log p of the second half of each sequence; logits of its tokens alone."""
    logits = model(input_ids=ids, logits_to_keep=T // 2 + 1).logits[:, :-1]
    targets = ids[:, T // 2 :]
    losses = torch.nn.functional.cross_entropy(logits.reshape(-1, V), targets.reshape(-1), reduction="none")
    return -losses.view(ids.shape[0], -1).sum(-1)


def dpo_loss(ids, _):
    with torch.no_grad(), model.disable_adapter():
        reference = answer_log_probs(ids)
    chosen, rejected = answer_log_probs(ids) - reference
    return -torch.nn.functional.logsigmoid(0.1 * (chosen - rejected))


loss_of = {"sft": sft_loss, "dpo": dpo_loss}[sys.argv[11]]


def train_step():
    loss = loss_of(*next(batches))
    loss.backward()
    torch.nn.utils.clip_grad_norm_(trained, 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return {"loss": loss.item()}


serve_rounds(train_step, facts={"params": sum(p.numel() for p in trained)})
