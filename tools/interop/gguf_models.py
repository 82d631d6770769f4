"""Tiny models and a tokenizer that GGUF files are made of, and the bytes that llama.cpp's own package makes of them.

    python gguf_models.py make FOLDER     FOLDER/NAME for each family; expected.json: ids of a text, greedy ids
    python gguf_models.py check FOLDER    FOLDER/NAME-TYPE.gguf read by the package gguf: problems.json
"""

import json
import pathlib
import sys

import gguf
import numpy as np
import torch
import transformers as hf
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

torch.set_num_threads(1)
FOLDER = pathlib.Path(sys.argv[2])
TEXT, NEW = "hello the quick dog 12", 24
TYPES = {
    "f32": gguf.GGMLQuantizationType.F32, "f16": gguf.GGMLQuantizationType.F16,
    "bf16": gguf.GGMLQuantizationType.BF16, "q8_0": gguf.GGMLQuantizationType.Q8_0,
}


def make_tokenizer():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=["<s>", "</s>"])
    tokenizer.train_from_iterator(["the quick brown fox jumps over the lazy dog. hello world, 12345"] * 5, trainer)
    return hf.PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")


def configs(vocab):
    sizes = dict(vocab_size=vocab, hidden_size=64, intermediate_size=96, num_hidden_layers=4,
                 num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=256, bos_token_id=0,
                 eos_token_id=1, pad_token_id=None)
    llama3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                  original_max_position_embeddings=32, rope_theta=500.0)
    linear = dict(rope_type="linear", factor=3.0, rope_theta=10000.0)
    gemma = dict(sizes, head_dim=32, query_pre_attn_scalar=32, sliding_window=7, tie_word_embeddings=True,
                 final_logit_softcapping=5.0, attn_logit_softcapping=3.0)
    granite = dict(sizes, embedding_multiplier=6.0, attention_multiplier=0.2, residual_multiplier=0.4,
                   logits_scaling=3.0)
    return {
        "llama": hf.LlamaConfig(**sizes),
        "llama-bias": hf.LlamaConfig(**sizes, attention_bias=True, mlp_bias=True),
        "llama-wide": hf.LlamaConfig(**sizes, head_dim=32),
        "llama-tied": hf.LlamaConfig(**sizes, tie_word_embeddings=True),
        "llama-llama3": hf.LlamaConfig(**sizes, rope_parameters=llama3),
        "llama-linear": hf.LlamaConfig(**sizes, rope_parameters=linear),
        "mistral": hf.MistralConfig(**sizes, sliding_window=None),
        "smollm3": hf.SmolLM3Config(**sizes),
        "qwen2": hf.Qwen2Config(**sizes),
        "qwen3": hf.Qwen3Config(**sizes, head_dim=32),
        "olmo2": hf.Olmo2Config(**sizes),
        "granite": hf.GraniteConfig(**granite),
        "gemma2": hf.Gemma2Config(**gemma),
        "gpt2": hf.GPT2Config(vocab_size=vocab, n_embd=64, n_inner=96, n_layer=3, n_head=4, n_positions=256,
                              bos_token_id=0, eos_token_id=1),
    }


def make():
    tokenizer = make_tokenizer()
    ids = tokenizer(TEXT, add_special_tokens=False).input_ids
    expected = {}
    for name, config in configs(len(tokenizer)).items():
        torch.manual_seed(len(name))
        config._attn_implementation = "eager"
        model = hf.AutoModelForCausalLM.from_config(config).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.15)
            model.save_pretrained(FOLDER / name)
            tokenizer.save_pretrained(FOLDER / name)
            sequence = torch.tensor([ids])
            for _ in range(NEW):
                next_id = model(sequence).logits[:, -1].argmax(-1, keepdim=True)
                sequence = torch.cat([sequence, next_id], 1)
        expected[name] = sequence[0, len(ids):].tolist()
    (FOLDER / "expected.json").write_text(json.dumps({"text": TEXT, "ids": ids, "greedy": expected}))


def check(name):
    """Every tensor of every type is what the package makes of that of f32."""
    whole = {t.name: t for t in gguf.GGUFReader(FOLDER / f"{name}-f32.gguf").tensors}
    problems = []
    for dtype in TYPES:
        reader = gguf.GGUFReader(FOLDER / f"{name}-{dtype}.gguf")
        if len(reader.tensors) != len(whole) or "general.architecture" not in reader.fields:
            problems.append(f"{dtype} lacks tensors or metadata")
        for tensor in reader.tensors:
            values = whole[tensor.name].data
            wanted = gguf.quants.quantize(np.asarray(values, dtype=np.float32), tensor.tensor_type)
            if tensor.tensor_type not in (TYPES[dtype], TYPES["f32"]):
                problems.append(f"{dtype}: {tensor.name} is {tensor.tensor_type.name}")
            if not np.array_equal(np.asarray(tensor.data).view(np.uint8), np.asarray(wanted).view(np.uint8)):
                problems.append(f"{dtype}: {tensor.name} has other bytes")
    return problems


if sys.argv[1] == "make":
    make()
else:
    names = json.loads((FOLDER / "expected.json").read_text())["greedy"]
    (FOLDER / "problems.json").write_text(json.dumps({name: check(name) for name in names}))
