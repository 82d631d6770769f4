"""The two Llama sizes of the benchmarks as random f32 GGUF files, and the token that transformers finds
most likely after a fixed text, by which llama.cpp is checked.   make_gguf.py FOLDER SHAPES(JSON)"""

import json
import os
import sys

import gguf
import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM

folder, shapes = sys.argv[1], json.loads(sys.argv[2])
SPECIAL = ["<unk>", "<s>", "</s>"]


def vocabulary(size):
    """A byte-level vocabulary of the wanted size, with its merges: llama.cpp insists on one."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = (b for b in range(256) if b not in printable)
    chars = {b: chr(b) for b in printable} | {b: chr(256 + i) for i, b in enumerate(others)}
    tokens = SPECIAL + [chars[b] for b in range(256)]
    letters = [c for c in tokens[3:] if c.isascii() and c.isalpha()]
    pairs = [(x, y) for x in letters for y in letters]
    pairs += [(x + letters[0], z) for x in letters for z in letters]
    merges = []
    for x, y in pairs:
        if len(tokens) == size:
            break
        if x + y not in tokens:
            merges.append(f"{x} {y}")
            tokens.append(x + y)
    return tokens + [f"<d{i}>" for i in range(len(tokens), size)], merges


def rotated(t, heads):
    """transformers keeps a head's rotary pairs as two halves, llama.cpp interleaved."""
    out, inner = t.shape
    return t.reshape(heads, 2, out // heads // 2, inner).swapaxes(1, 2).reshape(out, inner)


def build(shape):
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=shape["vocab"], hidden_size=shape["width"], intermediate_size=shape["inner"],
        num_hidden_layers=shape["layers"], num_attention_heads=shape["heads"],
        num_key_value_heads=shape["heads"], max_position_embeddings=512, tie_word_embeddings=True,
    )  # fmt: skip
    model = LlamaForCausalLM(config).eval()
    with torch.no_grad():
        for p in model.parameters():
            if p.dim() == 2:
                p.normal_(0, 0.08)  # large enough for logits that tell models apart
    return model


def write_header(w, model, shape):
    c = model.config
    w.add_context_length(8192)
    w.add_embedding_length(shape["width"])
    w.add_block_count(shape["layers"])
    w.add_feed_forward_length(shape["inner"])
    w.add_head_count(shape["heads"])
    w.add_head_count_kv(shape["heads"])
    w.add_layer_norm_rms_eps(c.rms_norm_eps)
    w.add_rope_dimension_count(shape["width"] // shape["heads"])
    w.add_rope_freq_base(10000.0)
    w.add_vocab_size(shape["vocab"])
    w.add_file_type(gguf.LlamaFileType.ALL_F32)
    tokens, merges = vocabulary(shape["vocab"])
    kinds = [gguf.TokenType.CONTROL] * 3 + [gguf.TokenType.NORMAL] * (len(tokens) - 3)
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("gpt-2")
    w.add_token_list(tokens)
    w.add_token_types(kinds)
    w.add_token_merges(merges)
    w.add_bos_token_id(1)
    w.add_eos_token_id(2)
    w.add_add_bos_token(False)


def write_tensors(w, model, shape):
    def put(name, tensor):
        w.add_tensor(name, np.ascontiguousarray(tensor.numpy().astype(np.float32)))

    state = model.state_dict()
    put("token_embd.weight", state["model.embed_tokens.weight"])
    put("output_norm.weight", state["model.norm.weight"])
    for i in range(shape["layers"]):
        theirs, ours = f"model.layers.{i}.", f"blk.{i}."
        for name in ("q", "k"):
            projection = state[f"{theirs}self_attn.{name}_proj.weight"]
            put(f"{ours}attn_{name}.weight", rotated(projection, shape["heads"]))
        put(ours + "attn_v.weight", state[theirs + "self_attn.v_proj.weight"])
        put(ours + "attn_output.weight", state[theirs + "self_attn.o_proj.weight"])
        put(ours + "attn_norm.weight", state[theirs + "input_layernorm.weight"])
        put(ours + "ffn_norm.weight", state[theirs + "post_attention_layernorm.weight"])
        for name in ("gate", "up", "down"):
            put(f"{ours}ffn_{name}.weight", state[f"{theirs}mlp.{name}_proj.weight"])


check = {}
for size, shape in shapes.items():
    model = build(shape)
    w = gguf.GGUFWriter(os.path.join(folder, f"{size}.gguf"), "llama")
    w.add_name(size)
    write_header(w, model, shape)
    write_tensors(w, model, shape)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    ids = torch.tensor([[3 + (i * 37 + 5) % (shape["vocab"] - 3) for i in range(48)]])
    with torch.no_grad():
        check[size] = model(input_ids=ids).logits[0, -1].argmax().item()
print(json.dumps(check))
