"""Tiny models and a tokenizer that GGUF files are made of, and the bytes that llama.cpp's own package makes of them.

    python gguf_models.py make FOLDER [NAME=TOKENIZER…]
                                          FOLDER/NAME for each family; expected.json: ids of a text, greedy ids;
                                          FOLDER/tokens-NAME for each of llama.cpp's patterns of words, and for each
                                          real tokenizer given by its folder, and texts.json
    python gguf_models.py check FOLDER    FOLDER/NAME-TYPE.gguf read by the package gguf: problems.json
"""

import json
import pathlib
import shutil
import sys

import gguf
import numpy as np
import torch
import transformers as hf
from hard_texts import hard_texts
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

torch.set_num_threads(1)
FOLDER = pathlib.Path(sys.argv[2])
TEXT, NEW = "hello the quick dog 12", 32
TYPES = {
    "f32": gguf.GGMLQuantizationType.F32, "f16": gguf.GGMLQuantizationType.F16,
    "bf16": gguf.GGMLQuantizationType.BF16, "q8_0": gguf.GGMLQuantizationType.Q8_0,
}


LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")


def split(pattern):
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"),
                                    pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


PATTERNS = {
    "gpt-2": pre_tokenizers.ByteLevel(add_prefix_space=False),
    "llama-bpe": split(LLAMA3),
    "qwen2": split(LLAMA3.replace("{1,3}", "")),
    "smollm": pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                       pre_tokenizers.ByteLevel(add_prefix_space=False)]),
}
WORDS = ["the quick brown fox jumps over the lazy dog. hello world, 12345"] * 5


def make_tokenizer(pre="gpt-2", texts=WORDS, size=300):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = PATTERNS[pre]
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=["<s>", "</s>"])
    tokenizer.train_from_iterator(texts, trainer)
    return hf.PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")


ROWS = {"gemma3": 262144}  # of the text models, which have none for the last token


def save_for(tokens, name):
    """A model as small as can be beside a tokenizer of so many tokens."""
    config = hf.LlamaConfig(vocab_size=tokens, hidden_size=32, intermediate_size=32, num_hidden_layers=1,
                            num_attention_heads=1, max_position_embeddings=64, bos_token_id=0, eos_token_id=1,
                            tie_word_embeddings=True)
    hf.LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(FOLDER / name)


def make_tokens(given):
    """A model for each pattern, whose tokens were merged of the hard texts, so that words divided otherwise show,
    and one for each real tokenizer, its files as they are."""
    texts = hard_texts()
    for name in PATTERNS:
        tokenizer = make_tokenizer(name, texts * 2, 3000)
        save_for(len(tokenizer), f"tokens-{name}")
        tokenizer.save_pretrained(FOLDER / f"tokens-{name}")
    for name, folder in given.items():
        tokens = Tokenizer.from_file(f"{folder}/tokenizer.json").get_vocab_size()
        save_for(ROWS.get(name, tokens), f"tokens-{name}")
        for file in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(f"{folder}/{file}", FOLDER / f"tokens-{name}")
    (FOLDER / "texts.json").write_text(json.dumps({"texts": texts, "tokenizers": [*PATTERNS, *given]}))


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
    yarn = dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=24, rope_theta=10000.0)
    long = dict(rope_type="longrope", short_factor=[1.0, 1.1, 1.3, 1.6, 2.0, 2.5, 3.0, 4.0], factor=4.0,
                long_factor=[2.0] * 8, rope_theta=10000.0, original_max_position_embeddings=256)
    phi3 = dict(sizes, sliding_window=None)
    half = dict(rope_type="default", rope_theta=10000.0, partial_rotary_factor=0.5)
    gemma3 = dict(sizes, num_hidden_layers=7, head_dim=32, query_pre_attn_scalar=32, sliding_window=7,
                  tie_word_embeddings=True)
    angles = dict(full_attention=dict(rope_type="linear", factor=4.0, rope_theta=1e6),
                  sliding_attention=dict(rope_type="default", rope_theta=1e4))
    neox = {key: value for key, value in sizes.items() if key != "num_key_value_heads"}
    neox = dict(neox, hidden_act="gelu_new", rope_parameters=half)
    return {
        "phi3": hf.Phi3Config(**phi3, original_max_position_embeddings=256),
        "phi3-part": hf.Phi3Config(**phi3, original_max_position_embeddings=256, rope_parameters=half),
        "phi3-long": hf.Phi3Config(**dict(phi3, max_position_embeddings=1024),
                                   original_max_position_embeddings=256, rope_parameters=long),
        "gemma3": hf.Gemma3TextConfig(**gemma3),
        "gemma3-scaled": hf.Gemma3TextConfig(**gemma3, rope_parameters=angles, final_logit_softcapping=5.0),
        "gpt-neox": hf.GPTNeoXConfig(**neox),
        "gpt-neox-in-turn": hf.GPTNeoXConfig(**neox, use_parallel_residual=False, tie_word_embeddings=True),
        "gpt-neox-without-bias": hf.GPTNeoXConfig(**neox, attention_bias=False),
        "llama-yarn": hf.LlamaConfig(**sizes, rope_parameters=yarn),
        "qwen2-yarn": hf.Qwen2Config(**sizes, rope_parameters=dict(yarn, attention_factor=1.5)),
        "llama": hf.LlamaConfig(**sizes),
        "llama-bias": hf.LlamaConfig(**sizes, attention_bias=True, mlp_bias=True),
        "llama-wide": hf.LlamaConfig(**sizes, head_dim=32),
        "llama-tied": hf.LlamaConfig(**sizes, tie_word_embeddings=True),
        "llama-llama3": hf.LlamaConfig(**sizes, rope_parameters=llama3),
        "llama-linear": hf.LlamaConfig(**sizes, rope_parameters=linear),
        "mistral": hf.MistralConfig(**sizes, sliding_window=None),
        "smollm3": hf.SmolLM3Config(**sizes, tie_word_embeddings=False),
        "qwen2": hf.Qwen2Config(**sizes),
        "qwen3": hf.Qwen3Config(**sizes, head_dim=32),
        "olmo2": hf.Olmo2Config(**sizes),
        "granite": hf.GraniteConfig(**granite),
        "gemma2": hf.Gemma2Config(**gemma),
        "gpt2": hf.GPT2Config(tie_word_embeddings=False, vocab_size=vocab, n_embd=64, n_inner=96, n_layer=3, n_head=4, n_positions=256,
                              bos_token_id=0, eos_token_id=1),
    }


def snap(model):
    """Puts each matrix on values that f16, bf16 and q8_0 hold: whole multiples, up to 127, of a power of 2."""
    for name, parameter in model.named_parameters():
        is_conv = isinstance(model.get_submodule(name.rpartition(".")[0]), hf.pytorch_utils.Conv1D)
        if parameter.dim() != 2 or "wpe" in name:
            continue
        rows = parameter.T if is_conv else parameter
        width = 32 if rows.shape[1] % 32 == 0 else rows.shape[1]
        blocks = rows.reshape(-1, width)
        most, at = blocks.abs().max(1, keepdim=True)
        step = 2.0 ** torch.ceil(torch.log2(most / 127))
        values = torch.round(blocks / step).scatter(1, at, 127 * torch.sign(blocks.gather(1, at))) * step
        rows.copy_(values.reshape(rows.shape))


def greedy(model, ids):
    """The continuation, and the lead of each token over the next likely one, in deviations of the logits."""
    sequence, leads = torch.tensor([ids]), []
    for _ in range(NEW):
        logits = model(sequence).logits[0, -1]
        (first, second), (next_id, _) = logits.topk(2)
        leads.append(float((first - second) / logits.std()))
        sequence = torch.cat([sequence, next_id.reshape(1, 1)], 1)
    return {"ids": sequence[0, len(ids):].tolist(), "leads": leads}


def make_model(config, seed):
    torch.manual_seed(seed)
    model = hf.AutoModelForCausalLM.from_config(config).eval()
    for parameter in model.parameters():
        parameter.add_(torch.randn_like(parameter) * 0.15)
    snap(model)
    return model


def make():
    tokenizer = make_tokenizer()
    ids = tokenizer(TEXT, add_special_tokens=False).input_ids
    expected = {}
    for name, config in configs(len(tokenizer)).items():
        config._attn_implementation = "eager"
        model = make_model(config, len(name))
        expected[name] = greedy(model, ids)
        model.save_pretrained(FOLDER / name)
        tokenizer.save_pretrained(FOLDER / name)
    (FOLDER / "expected.json").write_text(json.dumps({"text": TEXT, "ids": ids, "greedy": expected}))


def check(name):
    """Every tensor of every type is what the package makes of that of f32, and has the same values."""
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
            if not np.array_equal(gguf.quants.dequantize(tensor.data, tensor.tensor_type).reshape(values.shape), values):
                problems.append(f"{dtype}: {tensor.name} has other values")
    return problems


if sys.argv[1] == "make":
    with torch.no_grad():
        make()
        make_tokens(dict(each.split("=", 1) for each in sys.argv[3:]))
else:
    names = json.loads((FOLDER / "expected.json").read_text())["greedy"]
    (FOLDER / "problems.json").write_text(json.dumps({name: check(name) for name in names}))
