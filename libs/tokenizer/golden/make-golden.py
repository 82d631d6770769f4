"""Writes golden/golden.json: what Hugging Face `tokenizers` does, for src/golden.test.ts.

    pip install tokenizers==0.23.2 transformers==5.18.0
    python golden/make-golden.py DEFAULT_PATTERN CHAT_TEMPLATE     (in libs/tokenizer; the two strings
    are those exported by src/index.ts)
"""
import json
import random
import sys
import unicodedata
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers import trainers
from transformers import PreTrainedTokenizerFast

DEFAULT_PATTERN, CHAT_TEMPLATE = sys.argv[1:3]
LLAMA3_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPECIALS = ["<|pad|>", "<|bos|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]
CORPUS = [
    "The cat sat on the mat. The cat's hat is flat, isn't it? They'll say: that's that!\n\n"
    "She sells sea shells by the sea shore; the shells she sells are sea shells, I'm sure.\n",
    "aaaaaaaaaaaaaaaa aaaa aaaaaaa abababab babababa 1234567890 2024 3.14159\n\tdef f(x):\n"
    "        return x  # the function\n\n\nfor i in range(10):\n    print(f(i))\n",
    "Grüße aus München, naïve café — “quotes” … 日本語のテキスト 中文字符 한국어 Привет мир "
    "नमस्ते दुनिया مرحبا بالعالم שלום 👋🏽 👨‍👩‍👧 🇩🇪 e\u0301 e\u0301\n",
    "constructor __proto__ toString hasOwnProperty constructor __proto__ toString\r\n",
]
STRINGS = [
    "", " ", "  ", "\n", "\r\n\r\n", "\t \n  x", "a  b   c    ", "   leading", "trailing   ",
    "<|end|>", "Hi <|user|> there<|end|><|pad|>", "<|endoftext|>",
    "DON'T don't Don'T we'LL I'M you'Re 'S'ſ 'ſs it\u2019s \u017f\u212a'\u212a",
    "1234567890 12 345 6.7 ٣٤٥ ½ Ⅻ ²³", "日本語のテキスト", "नमस्ते दुनिया", "مرحبا بالعالم",
    "👨‍👩‍👧‍👦 👋🏽 🇩🇪🇫🇷 🏴󠁧󠁢󠁥󠁮󠁧󠁿", "e\u0301e\u0301\u0301 \u0301x", "\u0085x\u0085 \ufeffBOM\ufeff \u00a0nbsp\u3000wide",
    "\x00\x01\x7f nul", "\u200b\u200d\u2028\u2029\u202e", "a" * 700, "ab" * 300, " " * 300, "\n" * 90,
    "!?" * 100 + "\n\n/x", "x\n\n  \n y\r \r\nz", "\ue000\uffff\U0010ffff\U0001f9ff",
    "\u088f\u0c5c\U00011de0\u1acf \ua7ce unassigned before Unicode 17", "constructor __proto__ valueOf",
    "fullwidth ＡＢＣ １２３", "ＮＦＫＣ ﬁ ﬀ ①", "\ud7ff\uf900\ufffd",
]
ALPHABETS = ["ab '", "aA1 \n\t'.", "the cat sat\n", "éß日本👋\u0301 \u0085\ufeff", "<|end|>user"]


def fuzz():
    rng = random.Random(7)
    for alphabet in ALPHABETS:
        for _ in range(12):
            yield "".join(rng.choice(alphabet) for _ in range(rng.randrange(1, 60)))
    for _ in range(40):
        points = (rng.randrange(0x110000) if rng.random() < 0.5 else rng.randrange(0x3000) for _ in range(30))
        yield "".join(chr(p) for p in points if unicodedata.category(chr(p)) not in ("Cs", "Cn"))


def same_nfc(text):
    """False for the few characters that Hugging Face's older NFC tables (Unicode 9) do not know."""
    return normalizers.NFC().normalize_str(text) == unicodedata.normalize("NFC", text)


def byte_level(pre_tokenizer, specials, vocab_size, special_first=True):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=2,
        special_tokens=specials if special_first else [],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    if not special_first:
        tokenizer.add_special_tokens(specials)
    return tokenizer


def split_then_bytes(pattern):
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def chars(byte_fallback):
    points = sorted({c for text in CORPUS for c in text})
    extra = [f"<0x{b:02X}>" for b in range(256)] if byte_fallback else []
    vocab = {token: i for i, token in enumerate([*SPECIALS, *extra, *points])}
    tokenizer = Tokenizer(models.BPE(vocab, [], byte_fallback=byte_fallback))
    tokenizer.add_special_tokens(SPECIALS)
    fuse = decoders.Fuse()
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), fuse]) if byte_fallback else fuse
    return tokenizer


def ids_of(tokenizer, texts):
    tokenizer.encode_special_tokens = True  # special strings are text
    return [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]


def foreign(tokenizer, change=lambda json: None):
    data = json.loads(tokenizer.to_str())
    change(data)
    loaded = Tokenizer.from_str(json.dumps(data))
    return {"tokenizer": data, "ids": ids_of(loaded, TEXTS)}


def ignore_merges(data):
    data["model"]["ignore_merges"] = True
    data["model"]["vocab"]["Ġsells"] = 2000  # reachable only as a whole piece
    data["model"]["merges"] = [list(m) if isinstance(m, list) else m for m in data["model"]["merges"]]


def with_added(tokenizer):
    tokenizer.add_tokens([AddedToken("    ", normalized=False), AddedToken("=>", normalized=False)])
    tokenizer.normalizer = normalizers.NFC()
    return tokenizer


def chat(tokenizer):
    messages = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Hi  there\n\n"},
        {"role": "assistant", "content": "\nHello, cat! 👋"},
        {"role": "user", "content": ""},
    ]
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, chat_template=CHAT_TEMPLATE)
    ids = wrapped.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
    return {"messages": messages, "ids": ids}


TEXTS = STRINGS + [text for text in fuzz() if same_nfc(text)]
own = byte_level(split_then_bytes(DEFAULT_PATTERN), SPECIALS, 420)
own_json = json.loads(own.to_str())
char_texts = [t for t in TEXTS if all(c in set("".join(CORPUS)) for c in t)]
golden = {
    "corpus": CORPUS,
    "texts": TEXTS,
    "own": {
        "vocabSize": 420,
        "chat": chat(Tokenizer.from_str(own.to_str())),
        "vocab": own_json["model"]["vocab"],
        "merges": [" ".join(m) if isinstance(m, list) else m for m in own_json["model"]["merges"]],
        "ids": ids_of(own, TEXTS),
    },
    "chars": {"texts": char_texts, "ids": ids_of(chars(False), char_texts)},
    "charsWithBytes": {"ids": ids_of(chars(True), TEXTS)},
    "foreign": {
        "gpt2": foreign(byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False), ["<|endoftext|>"], 400, False)),
        "gpt2-prefix-space": foreign(byte_level(pre_tokenizers.ByteLevel(add_prefix_space=True), [], 380)),
        "llama3": foreign(
            byte_level(
                split_then_bytes(LLAMA3_PATTERN),
                ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"],
                400,
                False,
            ),
            ignore_merges,
        ),
        "digits-and-added": foreign(
            with_added(
                byte_level(
                    pre_tokenizers.Sequence(
                        [
                            pre_tokenizers.Digits(individual_digits=True),
                            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
                        ]
                    ),
                    ["<|im_start|>", "<|im_end|>"],
                    380,
                )
            )
        ),
    },
}
Path(__file__).parent.joinpath("golden.json").write_text(json.dumps(golden, separators=(",", ":")))
