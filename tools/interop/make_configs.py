"""Models beside the config.json that public repositories have: their fields as they are, their sizes tiny.

    python make_configs.py FOLDER

transformers reads each file as it is and makes the weights; FOLDER/NAME has both, batches.json (token ids) and
expected.safetensors: logits.0 and the greedy continuation. cases.json lists them.
"""

import json
import pathlib
import sys

import torch
import transformers as hf
from safetensors.torch import save_file

torch.set_num_threads(1)
FOLDER = pathlib.Path(sys.argv[1])
VOCAB, NEW = 40, 32
SIZES = dict(vocab_size=VOCAB, hidden_size=32, intermediate_size=48, num_hidden_layers=4, num_attention_heads=4,
             max_position_embeddings=96, bos_token_id=1, eos_token_id=2, initializer_range=0.02, use_cache=True,
             torch_dtype="bfloat16", transformers_version="4.45.0", attention_dropout=0.0)
GROUPED = dict(SIZES, num_key_value_heads=2, rms_norm_eps=1e-5, hidden_act="silu")
LLAMA = dict(GROUPED, model_type="llama", architectures=["LlamaForCausalLM"], pretraining_tp=1)
LLAMA3 = dict(LLAMA, attention_bias=False, mlp_bias=False, rope_theta=500000.0, bos_token_id=1, eos_token_id=[2, 3])
SCALED = dict(factor=32.0, high_freq_factor=4.0, low_freq_factor=1.0, original_max_position_embeddings=24,
              rope_type="llama3")
QWEN2 = dict(GROUPED, model_type="qwen2", architectures=["Qwen2ForCausalLM"], max_window_layers=2, rms_norm_eps=1e-6,
             rope_theta=1000000.0, sliding_window=24, use_sliding_window=False, use_mrope=False)
QWEN3 = dict(GROUPED, model_type="qwen3", architectures=["Qwen3ForCausalLM"], attention_bias=False, head_dim=16,
             max_window_layers=4, rms_norm_eps=1e-6, rope_scaling=None, rope_theta=1000000, sliding_window=None,
             tie_word_embeddings=True, use_sliding_window=False)
MISTRAL = dict(GROUPED, model_type="mistral", architectures=["MistralForCausalLM"], tie_word_embeddings=False)
PHI3 = dict(GROUPED, model_type="phi3", architectures=["Phi3ForCausalLM"], pad_token_id=0, embd_pdrop=0.0,
            resid_pdrop=0.0, rope_theta=10000.0, original_max_position_embeddings=48, attention_bias=False)
SHORT, LONG = [1.0, 1.1, 1.3, 1.6], [2.0, 3.0, 4.0, 5.0]
PHI4_MINI = dict(PHI3, full_attn_mod=1, interpolate_factor=1, lm_head_bias=False, mlp_bias=False, hidden_size=64,
                 partial_rotary_factor=0.5, sliding_window=262144, tie_word_embeddings=True,
                 rope_scaling=dict(long_factor=LONG, short_factor=SHORT, type="longrope"))
GEMMA2 = dict(GROUPED, model_type="gemma2", architectures=["Gemma2ForCausalLM"], attention_bias=False, head_dim=16,
              attn_logit_softcapping=50.0, final_logit_softcapping=30.0, cache_implementation="hybrid", pad_token_id=0,
              hidden_act="gelu_pytorch_tanh", hidden_activation="gelu_pytorch_tanh", query_pre_attn_scalar=16,
              rms_norm_eps=1e-6, rope_theta=10000.0, sliding_window=7)
GEMMA3 = dict(GROUPED, model_type="gemma3_text", architectures=["Gemma3ForCausalLM"], attention_bias=False,
              attn_logit_softcapping=None, cache_implementation="hybrid", final_logit_softcapping=None, head_dim=16,
              hidden_activation="gelu_pytorch_tanh", num_hidden_layers=7, pad_token_id=0, query_pre_attn_scalar=16,
              rms_norm_eps=1e-6, rope_local_base_freq=10000, rope_scaling=None, rope_theta=1000000, sliding_window=7,
              sliding_window_pattern=6)
del GEMMA3["hidden_act"]
OLMO2 = dict(GROUPED, model_type="olmo2", architectures=["Olmo2ForCausalLM"], attention_bias=False, pad_token_id=0,
             rms_norm_eps=1e-6, rope_scaling=None, rope_theta=500000, tie_word_embeddings=False)
GRANITE = dict(GROUPED, model_type="granite", architectures=["GraniteForCausalLM"], attention_bias=False,
               attention_multiplier=0.125, embedding_multiplier=12.0, logits_scaling=8.0, mlp_bias=False, pad_token_id=0,
               residual_multiplier=0.22, rope_scaling=None, rope_theta=5000000.0, tie_word_embeddings=True)
NEOX = dict(SIZES, model_type="gpt_neox", architectures=["GPTNeoXForCausalLM"], hidden_size=64, hidden_act="gelu",
            layer_norm_eps=1e-5, rotary_emb_base=10000, rotary_pct=0.25, tie_word_embeddings=False,
            use_parallel_residual=True)
SMOLLM3 = dict(GROUPED, model_type="smollm3", architectures=["SmolLM3ForCausalLM"], attention_bias=False,
               layer_types=["full_attention"] * 4, max_window_layers=28, mlp_bias=False, no_rope_layer_interval=4,
               no_rope_layers=[1, 1, 1, 0], pad_token_id=0, pretraining_tp=2, rms_norm_eps=1e-6, rope_scaling=None,
               rope_theta=5000000.0, sliding_window=None, use_sliding_window=False)
GPT2 = dict(model_type="gpt2", architectures=["GPT2LMHeadModel"], activation_function="gelu_new", attn_pdrop=0.1,
            bos_token_id=1, embd_pdrop=0.1, eos_token_id=2, initializer_range=0.02, layer_norm_epsilon=1e-5, n_ctx=96,
            n_embd=32, n_head=4, n_layer=3, n_positions=96, resid_pdrop=0.1, summary_activation=None,
            summary_first_dropout=0.1, summary_proj_to_labels=True, summary_type="cls_index", summary_use_proj=True,
            vocab_size=VOCAB, task_specific_params={"text-generation": {"do_sample": True, "max_length": 50}})

CONFIGS = {
    "Llama-2-7b": dict(LLAMA, rope_scaling=None, tie_word_embeddings=False, num_key_value_heads=4),
    "Llama-1-7b": {key: value for key, value in dict(LLAMA, pad_token_id=0, rms_norm_eps=1e-6).items()
                   if key not in ("num_key_value_heads", "attention_dropout")},
    "CodeLlama-7b": dict(LLAMA, rope_scaling=None, rope_theta=1000000, num_key_value_heads=4),
    "vicuna-7b-v1.5-16k": dict(LLAMA, rope_scaling=dict(factor=4.0, type="linear"), num_key_value_heads=4),
    "deepseek-coder-6.7b": dict(LLAMA, rope_scaling=dict(factor=4.0, type="linear"), rope_theta=100000),
    "TinyLlama-1.1B": dict(LLAMA, attention_bias=False, rope_scaling=None, rope_theta=10000.0, tie_word_embeddings=False),
    "Yi-6B": dict(LLAMA, pad_token_id=0, rope_theta=5000000.0, tie_word_embeddings=False),
    "Meta-Llama-3-8B": dict(LLAMA3, rope_scaling=None, tie_word_embeddings=False),
    "Llama-3.1-8B": dict(LLAMA3, rope_scaling=dict(SCALED, factor=8.0), tie_word_embeddings=False),
    "Llama-3.2-1B": dict(LLAMA3, rope_scaling=SCALED, head_dim=8, tie_word_embeddings=True),
    "SmolLM2-135M": dict(LLAMA, attention_bias=False, is_llama_config=True, mlp_bias=False, rope_interleaved=False,
                         rope_scaling=None, rope_theta=100000, tie_word_embeddings=True, pad_token_id=2),
    "Llama-3-8B-attention-bias": dict(LLAMA3, attention_bias=True),
    "Qwen2.5-0.5B": dict(QWEN2, tie_word_embeddings=True),
    "Qwen2.5-7B-yarn": dict(QWEN2, rope_scaling=dict(factor=4.0, original_max_position_embeddings=24, type="yarn")),
    "Qwen2.5-7B-1M": dict(QWEN2, dual_chunk_attention_config=dict(chunk_size=262144, local_size=8192)),
    "Qwen3-0.6B": QWEN3,
    "Qwen3-8B-yarn": dict(QWEN3, tie_word_embeddings=False, rope_scaling=dict(
        rope_type="yarn", factor=4.0, original_max_position_embeddings=24)),
    "Mistral-7B-v0.1": dict(MISTRAL, rope_theta=10000.0, sliding_window=7),
    "Mistral-7B-v0.3": dict(MISTRAL, rope_theta=1000000.0, sliding_window=None),
    "Mistral-Nemo": dict(MISTRAL, head_dim=16, rope_theta=1000000.0, sliding_window=None),
    "Phi-3-mini-4k": dict(PHI3, rope_scaling=None, sliding_window=7, tie_word_embeddings=False, num_key_value_heads=4,
                          original_max_position_embeddings=96),
    "Phi-3-mini-128k": dict(PHI3, rope_scaling=dict(long_factor=LONG, short_factor=SHORT, type="longrope"), sliding_window=262144),
    "Phi-4": dict(PHI3, rope_scaling=None, rope_theta=250000, sliding_window=None, original_max_position_embeddings=96),
    "Phi-4-mini": PHI4_MINI,
    "gemma-2-2b": GEMMA2,
    "gemma-3-1b": GEMMA3,
    "OLMo-2-1B": OLMO2,
    "granite-3.1-2b": GRANITE,
    "pythia-70m": NEOX,
    "gpt-neox-20b": dict(NEOX, hidden_act="gelu_fast", attention_probs_dropout_prob=0, hidden_dropout_prob=0),
    "RedPajama-3B": dict(NEOX, rotary_pct=1.0, use_parallel_residual=False),
    "SmolLM3-3B": SMOLLM3,
    "gpt2": GPT2,
    "llama-with-nulls": dict(LLAMA, head_dim=None, num_key_value_heads=None, rope_scaling=None, pad_token_id=None),
    "Mistral-Small-24B": dict(MISTRAL, head_dim=None, sliding_window=None, rope_theta=100000000.0),
    "Qwen2.5-Coder": dict(QWEN2, layer_types=["full_attention"] * 4, sliding_window=None, rope_scaling=None),
    "gemma-2-without-caps": dict(GEMMA2, attn_logit_softcapping=None, final_logit_softcapping=None),
    "gemma-2-layer-types": dict(GEMMA2, layer_types=["sliding_attention", "full_attention"] * 2),
    "gpt2-wide": dict(GPT2, n_inner=48),
    "gpt2-reordered": dict(GPT2, reorder_and_upcast_attn=True),
}


def make(name, fields):
    torch.manual_seed(len(name))
    directory = FOLDER / name
    directory.mkdir()
    file = directory / "config.json"
    file.write_text(json.dumps(fields))
    config = hf.AutoConfig.from_pretrained(directory)
    config._attn_implementation = "eager"
    model = hf.AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.15)
        model.save_pretrained(directory)
        file.write_text(json.dumps(fields))  # as the repository has it, not as transformers writes it
        ids = torch.randint(0, VOCAB, (1, 21))
        expected = {"logits.0": model(ids).logits[0].contiguous()}
        continued = ids[:, :9]
        for _ in range(NEW):
            continued = torch.cat([continued, model(continued).logits[:, -1].argmax(-1, keepdim=True)], 1)
        expected["greedy"] = continued[0, -NEW:].to(torch.int32)
    save_file(expected, directory / "expected.safetensors")
    (directory / "batches.json").write_text(json.dumps([ids.tolist()]))


for name, fields in CONFIGS.items():
    make(name, fields)
(FOLDER / "cases.json").write_text(json.dumps([{"name": name} for name in CONFIGS]))
