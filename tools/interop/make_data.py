"""Writes one file of each public shape with datasets and pyarrow, and what must be read from it.

python make_data.py FOLDER: the files, and expected.json with kind, format, counts and the first item.
"""
import gzip
import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Dataset

ROWS = 250
folder = Path(sys.argv[1])
expected = []


def user(content):
    return {"role": "user", "content": content}


def assistant(content):
    return {"role": "assistant", "content": content}


def transcript(i, answer):
    return f"\n\nHuman: question {i}\n\nAssistant: {answer}"


def shape(name, row, kind, form, first, items=ROWS):
    """Row i by `row(i)`, in every kind of file that datasets writes."""
    rows = [row(i) for i in range(ROWS)]
    data = Dataset.from_list(rows)
    files = {"parquet": folder / f"{name}.parquet", "jsonl": folder / f"{name}.jsonl"}
    data.to_parquet(files["parquet"], batch_size=100)
    data.to_json(files["jsonl"], force_ascii=False)
    packed = folder / f"{name}.jsonl.gz"
    data.to_json(packed, compression="gzip")
    listed = folder / f"{name}.json"
    listed.write_text(json.dumps(rows, indent=1, ensure_ascii=False), encoding="utf8")
    for file in [*files.values(), packed, listed]:
        expected.append(
            {"file": file.name, "kind": kind, "format": form, "records": ROWS, "items": items, "first": first}
        )


def pair(first, chosen, rejected, **more):
    return {"prompt": [user(first)], "answers": [chosen, rejected], "ranks": [1, 2], **more}


turns = {"messages": [user("question 0"), assistant("é 👋 0")]}
shape("messages", lambda i: {"messages": [user(f"question {i}"), assistant(f"é 👋 {i}")]},
      "conversations", "messages", turns)
shape("sharegpt", lambda i: {"id": i, "conversations": [
    {"from": "human", "value": f"question {i}"}, {"from": "gpt", "value": f"é 👋 {i}"}]},
      "conversations", "sharegpt", {"id": "0", **turns})
shape("alpaca", lambda i: {"instruction": f"question {i}", "input": "", "output": f"é 👋 {i}", "text": "x"},
      "conversations", "alpaca", turns)
shape("dolly", lambda i: {"instruction": f"question {i}", "context": "", "response": f"é 👋 {i}", "category": "qa"},
      "conversations", "dolly", {"kind": "qa", **turns})
shape("prompt-completion", lambda i: {"prompt": f"question {i}", "completion": f"é 👋 {i}"},
      "conversations", "prompt-completion", turns)
shape("gsm8k", lambda i: {"question": f"question {i}", "answer": f"é 👋 {i}"},
      "conversations", "question", turns)
shape("pairs", lambda i: {"prompt": f"question {i}", "chosen": "good", "rejected": "bad"},
      "rankings", "pairs", pair("question 0", "good", "bad"))
shape("pairs-implicit", lambda i: {"chosen": [user(f"question {i}"), assistant("good")],
                                   "rejected": [user(f"question {i}"), assistant("bad")]},
      "rankings", "pairs", pair("question 0", "good", "bad"))
shape("ultrafeedback-binarized", lambda i: {
    "prompt": f"question {i}", "prompt_id": str(i),
    "chosen": [user(f"question {i}"), assistant("good")],
    "rejected": [user(f"question {i}"), assistant("bad")],
    "score_chosen": 8.5, "score_rejected": 3.0},
      "rankings", "pairs", pair("question 0", "good", "bad", scores=[8.5, 3]))
shape("hh-rlhf", lambda i: {"chosen": transcript(i, "good"), "rejected": transcript(i, "bad")},
      "rankings", "hh-rlhf", pair("question 0", "good", "bad"))
shape("ultrafeedback", lambda i: {
    "source": "x", "instruction": f"question {i}", "models": ["m", "n"],
    "completions": [{"model": "m", "response": "bad", "overall_score": 2.0, "annotations": {"help": {"Rating": "2"}}},
                    {"model": "n", "response": "good", "overall_score": 7.5, "annotations": {"help": {"Rating": "5"}}}]},
      "rankings", "ultrafeedback",
      {"prompt": [user("question 0")], "answers": ["bad", "good"], "ranks": [2, 1], "scores": [2, 7.5]})
shape("nectar", lambda i: {
    "prompt": transcript(i, ""), "turns": 1,
    "answers": [{"answer": "bad", "model": "m", "rank": 2.0}, {"answer": "good", "model": "n", "rank": 1.0}]},
      "rankings", "nectar", {"prompt": [user("question 0")], "answers": ["bad", "good"], "ranks": [2, 1]})
shape("shp", lambda i: {"post_id": str(i), "history": f"question {i}", "human_ref_A": "bad", "human_ref_B": "good",
                        "labels": 0, "score_A": 3, "score_B": 9, "score_ratio": 3.0},
      "rankings", "shp", {"prompt": [user("question 0")], "answers": ["bad", "good"], "ranks": [2, 1]})
shape("prompts", lambda i: {"id": i, "prompt": f"question {i}", "accepted": ["a", "b"]},
      "prompts", "prompt", {"id": "0", "messages": [user("question 0")], "accepted": ["a", "b"]})

shape("self-instruct", lambda i: {"name": f"t{i}", "instruction": f"question {i}",
                                  "instances": [{"input": "", "output": f"é 👋 {i}"}]},
      "conversations", "self-instruct", {"kind": "t0", **turns})
shape("ranking", lambda i: {"id": str(i), "prompt": [user(f"question {i}")], "answers": ["bad", "good", "fair"],
                            "ranks": [3, 1, 2], "rater": "ann"},
      "rankings", "ranking",
      {"id": "0", "prompt": [user("question 0")], "answers": ["bad", "good", "fair"], "ranks": [3, 1, 2], "rater": "ann"})
shape("kto", lambda i: {"prompt": f"question {i}", "completion": "good", "label": i % 2 == 0},
      "prompts", "kto", {"id": "", "messages": [user("question 0")]})
shape("prompts-messages", lambda i: {"messages": [user(f"question {i}")]},
      "prompts", "messages", {"id": "", "messages": [user("question 0")]})
shape("prompts-instruction", lambda i: {"instruction": f"question {i}", "input": "", "output": f"answer {i}"},
      "prompts", "alpaca", {"id": "", "messages": [user("question 0")], "reference": "answer 0"})
shape("prompts-question", lambda i: {"question": f"question {i}", "answer": f"so\n#### {i}"},
      "prompts", "question", {"id": "", "messages": [user("question 0")], "reference": "so\n#### 0"})
shape("prompts-text", lambda i: {"text": f"question {i}"},
      "prompts", "text", {"id": "", "messages": [user("question 0")]})


def reply(text, rank=None, role="assistant", replies=()):
    return {"role": role, "text": text, "rank": rank, "replies": list(replies)}


def tree(i):
    more = reply(f"more {i}", role="prompter", replies=[reply(f"again {i}", 0)])
    answers = [reply("bad", 1), reply(f"good {i}", 0, replies=[more])]
    return {"message_tree_id": str(i), "tree_state": "ready",
            "prompt": reply(f"question {i}", role="prompter", replies=answers)}


def trees(kind, items, first):
    """As the hub has them: lines, packed; no table holds trees."""
    name = f"oasst-{kind}.trees.jsonl.gz"
    with gzip.open(folder / name, "wt", encoding="utf8") as file:
        file.writelines(json.dumps(tree(i)) + "\n" for i in range(ROWS))
    expected.append({"file": name, "kind": kind, "format": "oasst", "records": ROWS, "items": items, "first": first})


trees("conversations", ROWS, {"id": "0", "messages": [
    user("question 0"), assistant("good 0"), user("more 0"), assistant("again 0")]})
trees("rankings", ROWS, {"prompt": [user("question 0")], "answers": ["bad", "good 0"], "ranks": [2, 1]})
trees("prompts", ROWS, {"id": "0", "messages": [user("question 0")]})

# A folder of the hub: notes beside the table are none.
snapshot = folder / "snapshot"
(snapshot / "data").mkdir(parents=True)
(snapshot / "README.md").write_text("# notes", encoding="utf8")
(snapshot / "dataset_infos.json").write_text("{}", encoding="utf8")
Dataset.from_list([{"messages": [user(f"question {i}"), assistant(f"é 👋 {i}")]} for i in range(ROWS)]).to_parquet(
    snapshot / "data" / "train-00000-of-00001.parquet")
expected.append({"file": "snapshot", "kind": "conversations", "format": "messages", "records": ROWS, "items": ROWS,
                 "first": turns})

# One group of rows that is read in several parts: its pages have no index, as pyarrow writes them.
long = pa.table({"messages": [[user(f"question {i}"), assistant(f"é 👋 {i}" if i == 0 else f"{i} é 👋 " * 8000)]
                              for i in range(ROWS)]})
for version in ["1.0", "2.0"]:
    file = folder / f"paged-{version}.parquet"
    pq.write_table(long, file, data_page_version=version, data_page_size=2**18)
    expected.append({"file": file.name, "kind": "conversations", "format": "messages", "records": ROWS, "items": ROWS,
                     "first": turns})

text = {"file": "corpus.csv", "kind": "texts", "format": "text", "records": ROWS, "items": ROWS, "first": 'line 0, "é"\n'}
Dataset.from_list([{"text": f'line {i}, "é"\n', "n": i} for i in range(ROWS)]).to_csv(folder / text["file"], index=False)
expected.append(text)

# What pyarrow can do to a column, on one table.
table = pa.table({
    "question": pa.array([f"question {i % 7}" for i in range(ROWS)]).dictionary_encode(),
    "answer": pa.array([f"é 👋 {i}" for i in range(ROWS)], pa.large_string()),
    "big": pa.array([2**60 + i for i in range(ROWS)]),
    "when": pa.array([1_700_000_000_000 + i for i in range(ROWS)], pa.timestamp("ms")),
})
for codec in ["none", "snappy", "gzip", "brotli", "zstd", "lz4"]:
    for version in ["1.0", "2.0"]:
        file = folder / f"table-{codec}-{version}.parquet"
        pq.write_table(table, file, compression=codec, data_page_version=version, row_group_size=99)
        expected.append({"file": file.name, "codec": codec, "kind": "conversations", "format": "question",
                         "records": ROWS, "items": ROWS, "first": turns})

(folder / "expected.json").write_text(json.dumps(expected, ensure_ascii=False), encoding="utf8")
