"""Writes golden/models.json: what Hugging Face `tokenizers` does with models that are not byte-level, for
src/foreign-models.test.ts.

    pip install tokenizers==0.23.2
    python golden/make-models.py     (in libs/tokenizer)
"""
import json
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers import trainers

CORPUS = [
    "The cat sat on the mat. The cat's hat is flat, isn't it? They'll say: that's that!",
    "She sells sea shells by the sea shore; the shells she sells are sea shells, I'm sure.",
    "a  b   c    d def f(x): return x 1234567890 2024 3.14159 Grüße aus München, naïve café",
]
TEXTS = [
    "", " ", "  ", "\n", "\t \n  x", "a  b   c    ", "   leading", "trailing   ", "the cat", " the cat",
    "<s>", "<s> the</s> cat", "the <s>cat</s>", "x<mask>y <mask> z", "  <sp>  cat", "shells  shells",
    "日本語 Привет 👋🏽", "日本", "e\u0301 é \ufb01", "▁▁the▁cat", "DON'T don't", "1234567890 12 3.14",
    "a" * 200, " " * 50, "she sells " * 30, "\x00\x01 nul", "<0x0A> x", "constructor __proto__ toString",
    "!?--!?.. (x), [y]", "the\u00a0cat\u3000sat",
]
BYTES = [f"<0x{b:02X}>" for b in range(256)]


def bpe(normalizer, pre_tokenizer, decoder, bytes_too=True, **more):
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=bytes_too))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, pre_tokenizer
    specials = ["<unk>", "<s>", "</s>", *(BYTES if bytes_too else [])]
    trainer = trainers.BpeTrainer(vocab_size=380, special_tokens=specials, show_progress=False, **more)
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.decoder = decoder
    return without_added_bytes(tokenizer)


def unigram(bytes_too):
    tokenizer = Tokenizer(models.Unigram(byte_fallback=bytes_too))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    specials = ["<unk>", "<s>", "</s>", *(BYTES if bytes_too else [])]
    trainer = trainers.UnigramTrainer(
        vocab_size=360 if bytes_too else 90, special_tokens=specials, unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return without_added_bytes(tokenizer)


def without_added_bytes(tokenizer):
    """Byte tokens are ordinary ones of the vocabulary."""
    data = json.loads(tokenizer.to_str())
    data["added_tokens"] = [token for token in data["added_tokens"] if token["content"] not in BYTES]
    return Tokenizer.from_str(json.dumps(data))


def adding(tokenizer):
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True), AddedToken("<sp>", rstrip=True)])
    tokenizer.add_tokens([AddedToken("shells", single_word=True, normalized=True)])
    return tokenizer


def entry(tokenizer):
    result = {"tokenizer": json.loads(tokenizer.to_str())}
    for name, as_text in [("text", True), ("special", False)]:
        tokenizer.encode_special_tokens = as_text
        result[name] = [tokenizer.encode(text, add_special_tokens=False).ids for text in TEXTS]
    result["decoded"] = [tokenizer.decode(ids, skip_special_tokens=False) for ids in result["special"]]
    return result


replace = normalizers.Replace(" ", "▁")
legacy = decoders.Sequence(
    [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
)
plain = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
golden = {
    "texts": TEXTS,
    "tokenizers": {
        "llama2": entry(adding(bpe(normalizers.Sequence([normalizers.Prepend("▁"), replace]), None, legacy))),
        "gemma": entry(adding(bpe(replace, pre_tokenizers.Split(" ", "merged_with_previous"), plain))),
        "mistral": entry(
            bpe(None, pre_tokenizers.Metaspace(prepend_scheme="first", split=False), legacy)
        ),
        "unknown": entry(
            bpe(
                normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents(), normalizers.Strip()]),
                pre_tokenizers.Sequence(
                    [
                        pre_tokenizers.Whitespace(),
                        pre_tokenizers.Punctuation("merged_with_next"),
                        pre_tokenizers.Split(Regex(r"\d"), "contiguous"),
                    ]
                ),
                decoders.Fuse(),
                bytes_too=False,
            )
        ),
        "unigram": entry(adding(unigram(False))),
        "unigram-bytes": entry(unigram(True)),
    },
}
Path(__file__).parent.joinpath("models.json").write_text(json.dumps(golden, separators=(",", ":")))
