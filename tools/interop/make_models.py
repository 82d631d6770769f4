"""Tiny random models of every family, as transformers saves them, and what it computes with them.

    python make_models.py FOLDER

Each directory holds the model, ids.json (two batches of token ids), and expected.safetensors: logits.0,
logits.1, the greedy continuation of the first ids, and for each batch the loss and every gradient in the
model's own names. cases.json lists them.
"""

import json
import pathlib
import sys

import torch
import transformers as hf
from safetensors.torch import save_file

torch.set_num_threads(1)  # for models so small, more only wait for each other
FOLDER = pathlib.Path(sys.argv[1])
VOCAB, POSITIONS, NEW = 40, 96, 32
SIZES = dict(
    vocab_size=VOCAB, hidden_size=32, intermediate_size=48, num_hidden_layers=4, num_attention_heads=4,
    num_key_value_heads=2, max_position_embeddings=POSITIONS, bos_token_id=None, eos_token_id=None,
    pad_token_id=None,
)
LLAMA3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=16, rope_theta=500.0)
YARN = dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=24, rope_theta=10000.0)
GPT2 = dict(vocab_size=VOCAB, n_embd=32, n_inner=48, n_layer=3, n_head=4, n_positions=POSITIONS,
            attn_pdrop=0.0, embd_pdrop=0.0, resid_pdrop=0.0, bos_token_id=None, eos_token_id=None)
NEOX = {k: v for k, v in SIZES.items() if k != "num_key_value_heads"}
PHI3 = dict(SIZES, original_max_position_embeddings=POSITIONS)
LONG = dict(rope_type="longrope", short_factor=[1.0, 1.1, 1.3, 1.6], long_factor=[2.0, 3.0, 4.0, 5.0],
            rope_theta=10000.0, original_max_position_embeddings=POSITIONS)
GEMMA = dict(SIZES, head_dim=16, query_pre_attn_scalar=24, sliding_window=7)

# Family, what is special, class of the configuration, its fields.
CASES = [
    ("llama", "", hf.LlamaConfig, SIZES),
    ("llama", "llama3 rope", hf.LlamaConfig, dict(SIZES, rope_parameters=LLAMA3)),
    ("llama", "linear rope", hf.LlamaConfig,
     dict(SIZES, rope_parameters=dict(rope_type="linear", factor=3.0, rope_theta=10000.0))),
    ("llama", "dynamic rope", hf.LlamaConfig,
     dict(SIZES, rope_parameters=dict(rope_type="dynamic", factor=3.0, rope_theta=10000.0))),
    ("llama", "yarn rope", hf.LlamaConfig, dict(SIZES, rope_parameters=YARN)),
    ("llama", "bias of attention alone", hf.LlamaConfig, dict(SIZES, attention_bias=True)),
    ("llama", "wide heads", hf.LlamaConfig, dict(SIZES, head_dim=12)),
    ("smollm3", "", hf.SmolLM3Config, dict(SIZES)),
    ("qwen2", "", hf.Qwen2Config, SIZES),
    ("qwen3", "", hf.Qwen3Config, dict(SIZES, head_dim=16)),
    ("qwen3", "bias", hf.Qwen3Config, dict(SIZES, head_dim=16, attention_bias=True)),
    ("mistral", "window", hf.MistralConfig, dict(SIZES, sliding_window=6)),
    ("mistral", "no window", hf.MistralConfig, dict(SIZES, sliding_window=None)),
    ("phi3", "", hf.Phi3Config, PHI3),
    ("phi3", "partial rotary, window", hf.Phi3Config,
     dict(PHI3, sliding_window=9, rope_parameters=dict(rope_type="default", rope_theta=10000.0,
                                                        partial_rotary_factor=0.5))),
    ("phi3", "longrope", hf.Phi3Config,
     dict(PHI3, max_position_embeddings=4 * POSITIONS, rope_parameters=LONG)),
    ("gemma2", "", hf.Gemma2Config, dict(GEMMA, final_logit_softcapping=5.0, attn_logit_softcapping=3.0)),
    ("gemma3_text", "", hf.Gemma3TextConfig, dict(GEMMA, num_hidden_layers=6)),
    ("olmo2", "", hf.Olmo2Config, SIZES),
    ("granite", "", hf.GraniteConfig,
     dict(SIZES, embedding_multiplier=6.0, attention_multiplier=0.2, residual_multiplier=0.4,
          logits_scaling=3.0)),
    ("gpt_neox", "", hf.GPTNeoXConfig,
     dict(NEOX, rope_parameters=dict(rope_type="default", rope_theta=10000.0, partial_rotary_factor=0.5))),
    ("gpt_neox", "blocks in turn", hf.GPTNeoXConfig, dict(NEOX, use_parallel_residual=False)),
    ("gpt2", "", hf.GPT2Config, GPT2),
    *[("gpt2", act, hf.GPT2Config, dict(GPT2, activation_function=act)) for act in ("gelu", "relu", "silu", "tanh")],
]


def perturb(model):
    """Moves every parameter, biases and norms too, so that a wrong one shows."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.15)
    return model.eval()


def greedy(model, ids):
    with torch.no_grad():
        for _ in range(NEW):
            ids = torch.cat([ids, model(ids).logits[:, -1].argmax(-1, keepdim=True)], 1)
    return ids[0, -NEW:]


def gradients(model, ids):
    model.zero_grad()
    loss = model(ids, labels=ids, use_cache=False).loss
    loss.backward()
    named = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    return loss.detach(), named


def make(family, what, make_config, fields, tied, form):
    torch.manual_seed(len(what) + 7 * len(family))
    config = make_config(**fields, tie_word_embeddings=tied)
    config._attn_implementation = "eager"
    model = perturb(hf.AutoModelForCausalLM.from_config(config))
    if form == "bf16":
        model = model.to(torch.bfloat16)
    name = "-".join(filter(None, [family, what, "tied" if tied else "untied", form])).replace(" ", "_").replace(",", "")
    directory = FOLDER / name
    model.save_pretrained(directory, max_shard_size="20KB" if form == "sharded" else "1GB")
    if form == "bf16":  # read again: .float() would keep rotary angles that bfloat16 rounded
        model = hf.AutoModelForCausalLM.from_pretrained(
            directory, dtype=torch.float32, attn_implementation="eager").eval()
    batches = [torch.randint(0, VOCAB, (1, 33)), torch.randint(0, VOCAB, (2, 21))]
    expected = {}
    for i, ids in enumerate(batches):
        with torch.no_grad():
            expected[f"logits.{i}"] = model(ids).logits[0].contiguous()
        loss, named = gradients(model, ids)
        expected[f"loss.{i}"] = loss.reshape(1)
        expected.update({f"grad.{i}.{key}": value.contiguous() for key, value in named.items()})
    expected["greedy"] = greedy(model, batches[0][:, :9]).to(torch.int32)
    save_file(expected, directory / "expected.safetensors")
    (directory / "batches.json").write_text(json.dumps([ids.tolist() for ids in batches]))
    return {"name": name, "family": family}


made = []
for family, what, make_config, fields in CASES:
    for tied in (False, True):
        for form in ("f32", "bf16", "sharded"):
            if what and (tied or form != "f32"):
                continue  # what is special does not depend on it
            made.append(make(family, what, make_config, fields, tied, form))
(FOLDER / "cases.json").write_text(json.dumps(made))
