"""LoRA adapters as PEFT saves them on tiny models, and what PEFT computes with those that Stagecraft wrote.

    python adapters.py make FOLDER     FOLDER/NAME/{base,adapter} and expected.safetensors: ids, logits
    python adapters.py check FOLDER    FOLDER/NAME/ours against the same logits: problems.json
"""

import json
import pathlib
import sys

import peft
import torch
import transformers as hf
from safetensors.torch import load_file, save_file

torch.set_num_threads(1)
FOLDER = pathlib.Path(sys.argv[2])
VOCAB = 40
SIZES = dict(vocab_size=VOCAB, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=64, pad_token_id=None)
GPT2 = dict(vocab_size=VOCAB, n_embd=32, n_inner=48, n_layer=2, n_head=4, n_positions=64,
            attn_pdrop=0.0, embd_pdrop=0.0, resid_pdrop=0.0)
NEOX = {key: value for key, value in SIZES.items() if key != "num_key_value_heads"}
CASES = {
    "llama": (hf.LlamaConfig(**SIZES), dict(target_modules=["q_proj", "v_proj", "down_proj"])),
    "llama-rslora": (hf.LlamaConfig(**SIZES), dict(target_modules="all-linear", use_rslora=True)),
    "qwen3": (hf.Qwen3Config(**SIZES, head_dim=16), dict(target_modules=["q_proj"], layers_to_transform=[1])),
    "phi3": (hf.Phi3Config(**SIZES), dict(target_modules=["qkv_proj", "gate_up_proj"])),
    "gpt_neox": (hf.GPTNeoXConfig(**NEOX), dict(target_modules=["query_key_value"])),
    "gpt2": (hf.GPT2Config(**GPT2), dict(target_modules=["c_attn", "c_proj"], fan_in_fan_out=True)),
}


def logits(model, ids):
    with torch.no_grad():
        return model.eval()(ids.long()[None]).logits[0].contiguous()


def make(name, config, fields):
    torch.manual_seed(len(name))
    directory = FOLDER / name
    base = hf.AutoModelForCausalLM.from_config(config)
    base.save_pretrained(directory / "base")
    model = peft.get_peft_model(base, peft.LoraConfig(r=3, lora_alpha=5, task_type="CAUSAL_LM", **fields))
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if "lora_" in key:
                parameter.add_(torch.randn_like(parameter) * 0.2)
    model.save_pretrained(directory / "adapter")
    ids = torch.randint(0, VOCAB, (21,), dtype=torch.int32)
    save_file({"ids": ids, "logits": logits(model, ids)}, directory / "expected.safetensors")


def check(name):
    directory = FOLDER / name
    expected = load_file(directory / "expected.safetensors")
    base = hf.AutoModelForCausalLM.from_pretrained(directory / "base", dtype=torch.float32)
    before = logits(base, expected["ids"])
    found = logits(peft.PeftModel.from_pretrained(base, directory / "ours"), expected["ids"])
    scale = expected["logits"].abs().max()
    error = ((found - expected["logits"]).abs().max() / scale).item()
    moved = ((before - expected["logits"]).abs().max() / scale).item()
    if moved < 1e-2:
        return "  the adapter changes nothing that shows"
    return "" if error <= 1e-4 else f"  logits differ by {error:.1e}"


if sys.argv[1] == "make":
    for name, (config, fields) in CASES.items():
        make(name, config, fields)
    (FOLDER / "cases.json").write_text(json.dumps(list(CASES)))
else:
    (FOLDER / "problems.json").write_text(json.dumps({name: check(name) for name in CASES}))
