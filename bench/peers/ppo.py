"""PPO as one writes it with PyTorch and transformers, the algorithm of libs/ppo: four separate models
(policy, critic, reference, reward model; random Llamas, fp32), 64 prompts of 32 tokens, 64 sampled
tokens each, KL in the reward, GAE, whitened advantages, 4 epochs of 4 minibatches, clipped policy and
value losses, AdamW, gradients clipped to norm 1. A round is one update.

    ppo.py LAYERS HEADS WIDTH INNER VOCAB THREADS      see serve.py

What makes it fast and changes no result: log-probs of the sampled tokens come from generate(), logits
are computed at answer positions only, AdamW is fused, scoring runs in inference mode.
"""

import copy
import sys
import time

import torch
import torch.nn as nn
from serve import serve_rounds
from torch.nn import functional as F
from transformers import LlamaConfig, LlamaForCausalLM, LlamaForSequenceClassification, LlamaModel

L, H, D, INNER, V, THREADS = map(int, sys.argv[1:7])
EPISODES, PROMPT, NEW, EPOCHS, MINIBATCHES = 64, 32, 64, 4, 4
GAMMA, LAMBDA, BETA, CLIP, VALUE_CLIP, VALUE_COEF, LR = 1.0, 0.95, 0.1, 0.2, 0.2, 0.1, 1e-5
torch.set_num_threads(THREADS)
torch.manual_seed(0)

common = dict(
    vocab_size=V, hidden_size=D, intermediate_size=INNER, num_hidden_layers=L,
    num_attention_heads=H, num_key_value_heads=H, max_position_embeddings=512,
    bos_token_id=None, eos_token_id=None, pad_token_id=0,
)  # fmt: skip


class Critic(nn.Module):
    """A trunk of its own with a value for every token."""

    def __init__(self):
        super().__init__()
        self.trunk = LlamaModel(LlamaConfig(**common))
        self.head = nn.Linear(D, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, ids):
        hidden = self.trunk(input_ids=ids, use_cache=False).last_hidden_state
        return self.head(hidden[:, PROMPT - 1 : -1]).squeeze(-1)  # the state before each new token


policy = LlamaForCausalLM(LlamaConfig(**common, tie_word_embeddings=True))
reference = copy.deepcopy(policy).eval().requires_grad_(False)
reward_model = LlamaForSequenceClassification(LlamaConfig(**common, num_labels=1)).eval()
critic = Critic()
policy.train()
optimizers = [
    torch.optim.AdamW(m.parameters(), lr=LR, betas=(0.9, 0.95), eps=1e-5, weight_decay=0, fused=True)
    for m in (policy, critic)
]
prompts = torch.randint(2, V, (EPISODES, PROMPT))
sampling = dict(do_sample=True, top_k=0, top_p=1.0, temperature=1.0, use_cache=True, pad_token_id=0)


def answer_log_probs(model, ids):
    """log p of the new tokens, [B, NEW]."""
    logits = model(input_ids=ids, use_cache=False, logits_to_keep=NEW + 1).logits[:, :-1]
    targets = ids[:, PROMPT:]
    chosen = logits.gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    return chosen - torch.logsumexp(logits, -1)


def sample():
    with torch.inference_mode():
        out = policy.generate(
            prompts, attention_mask=torch.ones_like(prompts), max_new_tokens=NEW,
            output_logits=True, return_dict_in_generate=True, **sampling,
        )  # fmt: skip
        ids = out.sequences
        rows = zip(out.logits, ids[:, PROMPT:].T)
        chosen = [F.log_softmax(z, -1).gather(1, t.unsqueeze(1)).squeeze(1) for z, t in rows]
        return ids.clone(), torch.stack(chosen, 1).clone()


def advantages_of(rewards, values):
    """GAE: V after the last token is 0."""
    advantages = torch.zeros_like(rewards)
    last = torch.zeros(EPISODES)
    for t in reversed(range(NEW)):
        following = values[:, t + 1] if t + 1 < NEW else 0.0
        last = rewards[:, t] + GAMMA * following - values[:, t] + GAMMA * LAMBDA * last
        advantages[:, t] = last
    return advantages


def whiten(x):
    return (x - x.mean()) * torch.rsqrt(x.var(correction=0) + 1e-8)


def experience():
    ids, old = sample()
    with torch.inference_mode():
        kl = old - answer_log_probs(reference, ids)
        scores = reward_model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[:, 0]
        values = critic(ids)
        rewards = -BETA * kl
        rewards[:, -1] += scores
        advantages = advantages_of(rewards, values)
        batch = [ids, old, values, whiten(advantages), advantages + values]
    return [tensor.clone() for tensor in batch], scores.mean().item(), kl.sum(1).mean().item()


def policy_loss(ids, old, advantages):
    ratio = torch.exp(answer_log_probs(policy, ids) - old)
    clipped = torch.clamp(ratio, 1 - CLIP, 1 + CLIP)
    return torch.maximum(-advantages * ratio, -advantages * clipped).mean()


def value_loss(ids, old_values, returns):
    values = critic(ids)
    clipped = old_values + torch.clamp(values - old_values, -VALUE_CLIP, VALUE_CLIP)
    return 0.5 * torch.maximum((values - returns) ** 2, (clipped - returns) ** 2).mean()


def optimize(batch):
    for _ in range(EPOCHS):
        for rows in torch.randperm(EPISODES).chunk(MINIBATCHES):
            ids, old, values, advantages, returns = (tensor[rows] for tensor in batch)
            policy_loss(ids, old, advantages).backward()
            (VALUE_COEF * value_loss(ids, values, returns)).backward()
            for model, optimizer in zip((policy, critic), optimizers):
                torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)


def update():
    batch, score, kl = experience()
    start = time.perf_counter()
    optimize(batch)
    train_ms = 1e3 * (time.perf_counter() - start)
    return {"trainMs": train_ms, "responseLength": NEW, "score": score, "kl": kl}


serve_rounds(update, warmups=1, facts={"torch": torch.__version__})
