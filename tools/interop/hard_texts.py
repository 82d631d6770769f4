"""500 texts on which tokenizers differ, the same in every run."""
import random

PARTS = [
    "", " ", "  ", "\n", "\n\n\n", "\t \n", "Hello world", " Hello", "Hello  world   !", "don't DON'T I'LL we've",
    "1234567890 12 3.14 1,000", "ſ K ﬁ Å", "é e\u0301 ñ n\u0303", "日本語のテキスト 中文 한국어", "👍🏽👩‍👩‍👧‍👦🇩🇪",
    "\u200b\u200d\ufeff\u00a0x", "a\u0085b\u2028c", "<s>hi</s>", "<|im_start|>user\nHi<|im_end|>\n",
    "<|begin_of_text|><|eot_id|>", "<bos><start_of_turn>user\n<end_of_turn>", "[INST] x [/INST]",
    "<|endoftext|><|end|>", "</think> <think>\n", "def f(x):\n    return x\n\n\tpass", '{"a": [1, 2]}',
    "http://x.y/z?q=1&b=2", "ÀÉÎ ßẞ İı", "नमस्ते ไทย العربية עברית", "▁ ▁▁ a▁b", "\x00\x01\x7f", "<0x0A> <0xFF>",
    "Ġ Ċ", "a" * 300, " " * 100, "ab " * 200, "\r\n\r\nx\r", "...!!!???", "'s 'S ’s", "½ ² Ⅷ ٣ ௧",
    "<｜begin▁of▁sentence｜><｜User｜>x<｜Assistant｜>", "<unused0> <unused1>x", "<unk>", " <s> x", "word<s>word",
    "<mask> <pad>", "x</s> y", "toString constructor __proto__ hasOwnProperty",
]
LETTERS = list("abcdefgXYZ  \n\t0123.,!?'\"-_/\\<>|[]{}()#@éüñßçŁœ") + [
    "日", "本", "한", "ا", "ש", "न", "👍", "\u0301", "\u200d", "\u00a0", "▁", "Ġ", " the", " ing", "<s>",
    "<|im_end|>", "</s>", "<|eot_id|>", "\r\n", "ﬁ", "ſ",
]


def hard_texts(count=500):
    rng = random.Random(7)
    texts = list(PARTS)
    while len(texts) < count:
        length = rng.choice([3, 8, 20, 60, 200])
        texts.append("".join(rng.choice(LETTERS) for _ in range(length)))
    return texts
