"""What Hugging Face's tokenizers gives for the hard texts: python make_ids.py OUT FOLDER…"""
import json
import sys

from hard_texts import hard_texts
from tokenizers import Tokenizer

out, *folders = sys.argv[1:]
texts = hard_texts()
result = {"texts": texts, "tokenizers": []}
for folder in folders:
    tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
    entry = {"folder": folder}
    for name, as_text in [("text", True), ("special", False)]:
        tokenizer.encode_special_tokens = as_text
        entry[name] = [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
    entry["added"] = [tokenizer.encode(text).ids for text in texts]
    entry["decoded"] = [tokenizer.decode(ids, skip_special_tokens=False) for ids in entry["text"]]
    result["tokenizers"].append(entry)
with open(out, "w", encoding="utf8") as file:
    json.dump(result, file)
