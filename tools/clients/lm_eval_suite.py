"""lm-eval's API models against the API, on two task files of ours: lm_eval_suite.py URL KEY MODEL DIR FOLDER"""

import json
import math
import os
import sys

url, key, model, model_dir, folder = sys.argv[1:]
os.environ.update(
    OPENAI_API_KEY=key, HF_DATASETS_OFFLINE="1", HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1"
)
os.environ["HF_HOME"] = os.path.join(folder, "hf")

from importlib.metadata import version  # noqa: E402

import lm_eval  # noqa: E402
from lm_eval.tasks import TaskManager  # noqa: E402

QUESTIONS = [
    {"question": "The fox eats", "choices": [" fish.", " owls."], "answer": 0},
    {"question": "The owl sings at", "choices": [" noon.", " night."], "answer": 1},
    {"question": "Where is", "choices": [" it?", " fish?"], "answer": 0},
]

data = os.path.join(folder, "questions.jsonl")
with open(data, "w") as file:
    file.writelines(json.dumps(each) + "\n" for each in QUESTIONS)

COMMON = dict(
    dataset_path="json",
    dataset_kwargs={"data_files": {"test": data}},
    test_split="test",
    doc_to_text="{{question}}",
    metadata={"version": 1},
)
CHOOSE = dict(
    COMMON,
    task="fox_choose",
    output_type="multiple_choice",
    doc_to_choice="{{choices}}",
    doc_to_target="{{answer}}",
    target_delimiter="",
    metric_list=[{"metric": "acc"}],
)
WRITE = dict(
    COMMON,
    task="fox_write",
    output_type="generate_until",
    doc_to_target="{{choices[answer]}}",
    generation_kwargs={"until": ["\n"], "max_gen_toks": 12, "temperature": 0},
    metric_list=[{"metric": "exact_match"}],
)


def evaluate(kind, path, tasks, **args):
    result = lm_eval.simple_evaluate(
        model=kind,
        model_args=dict(model=model, base_url=f"{url}{path}", max_retries=1, **args),
        tasks=tasks,
        task_manager=TaskManager(),
        bootstrap_iters=0,
        apply_chat_template=kind == "local-chat-completions",
        log_samples=True,
    )
    for task, figures in result["results"].items():
        print(f"  {kind} {task}: {figures}")
    return result


def main():
    print(f"lm-eval {version('lm-eval')}")
    tokenizer = dict(tokenizer_backend="huggingface", tokenizer=model_dir, max_length=256)
    ids = evaluate("local-completions", "/v1/completions", [CHOOSE, WRITE], **tokenizer)
    texts = evaluate(
        "local-completions",
        "/v1/completions",
        [CHOOSE],
        tokenized_requests=False,
        **tokenizer,
    )
    for result in (ids, texts):
        for sample in result["samples"]["fox_choose"]:
            for log_prob, _ in sample["filtered_resps"]:
                assert math.isfinite(float(log_prob)) and float(log_prob) < 0
    chat = evaluate("local-chat-completions", "/v1/chat/completions", [WRITE])
    assert len(chat["samples"]["fox_write"]) == len(QUESTIONS)
    print("finished")


main()
