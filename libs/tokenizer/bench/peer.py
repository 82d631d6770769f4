"""Hugging Face `tokenizers` on the task of train-and-encode.mjs; prints one JSON line."""
import json
import resource
import sys
import time

from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

file, vocab_size, directory = sys.argv[1], int(sys.argv[2]), sys.argv[3]
with open(f"{directory}/tokenizer.json") as handle:
    ours = json.load(handle)
pattern = ours["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"]


def chunks():
    carry = b""
    with open(file, "rb") as handle:
        while data := handle.read(1 << 20):
            data = carry + data
            end = data.rfind(b"\n") + 1 or len(data)
            yield data[:end].decode()
            carry = data[end:]
    yield carry.decode()


tokenizer = Tokenizer(models.BPE())
tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
    [
        pre_tokenizers.Split(Regex(pattern), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ]
)
trainer = trainers.BpeTrainer(
    vocab_size=vocab_size,
    min_frequency=2,
    special_tokens=[token["content"] for token in ours["added_tokens"]],
    initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    show_progress=False,
)
start = time.time()
tokenizer.train_from_iterator(chunks(), trainer)
train_seconds = time.time() - start
start = time.time()
tokenizer.encode_special_tokens = True  # special strings are text, as in ours
num_bytes = num_tokens = 0
for chunk in chunks():
    num_bytes += len(chunk.encode())
    num_tokens += len(tokenizer.encode(chunk, add_special_tokens=False).ids)
seconds = time.time() - start
merges = json.loads(tokenizer.to_str())["model"]["merges"]
print(
    json.dumps(
        {
            "trainSeconds": train_seconds,
            "encodeMBPerSecond": num_bytes / 1e6 / seconds,
            "peakMB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "numTokens": num_tokens,
            "merges": [" ".join(merge) if isinstance(merge, list) else merge for merge in merges],
        }
    )
)
