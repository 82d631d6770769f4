"""lm-eval's own tasks on items of ours, through the API, beside what `stagecraft evaluate` says of them.

lm_eval_tasks.py make FOLDER: the items, as datasets writes them.
lm_eval_tasks.py compare FOLDER RUN URL KEY MODEL MODEL_DIR: every log-likelihood and every figure.
"""

import json
import os
import sys

from lm_eval_stubs import INSTRUCTION_METRICS, without_downloads

os.environ.update(HF_DATASETS_OFFLINE="1", HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1")
ITEMS = 6
EXAMPLES = 12
TOKENS = 12
SHOTS = 5
MAX_LENGTH = 1024


def hellaswag(i):
    return {
        "ind": i,
        "activity_label": "Fishing",
        "ctx_a": f"The fox eats {i} fish.",
        "ctx_b": "the OWL",
        "ctx": "",
        "endings": ["sings at night.", "eats [sic] it [title] Where?", "is  it?", f"is {i} é"],
        "label": str(i % 4),
    }


def arc(i):
    texts = ["fish", "the owl", "at night"][: 2 + i % 2]
    return {
        "id": str(i),
        "question": f"Where is fish {i}?",
        "choices": {"text": texts, "label": ["A", "B", "C"][: len(texts)]},
        "answerKey": "AB"[i % 2],
    }


def mmlu(i):
    return {
        "question": f" Where is it {i}? ",
        "subject": "world_religions",
        "choices": ["fish", "owl", "fox", "night"],
        "answer": i % 4,
    }


def gsm8k(i):
    return {"question": f"The fox eats {i} and {i} fish?", "answer": f"{i}+{i}={2 * i}\n#### {2 * i}"}


def ifeval(i):
    instructions = [
        ("punctuation:no_comma", {}),
        ("length_constraints:number_words", {"num_words": 3, "relation": "less than"}),
        ("keywords:letter_frequency", {"letter": "e", "let_frequency": 2, "let_relation": "at least"}),
        ("keywords:forbidden_words", {"forbidden_words": ["fox"]}),
    ]
    chosen = [instructions[i % 4], instructions[(i + 1) % 4]][: 1 + i % 2]
    return {
        "key": i,
        "prompt": f"Where is fish {i}? The",
        "instruction_id_list": [name for name, _ in chosen],
        "kwargs": [arguments for _, arguments in chosen],
    }


SETS = {"hellaswag": hellaswag, "arc": arc, "mmlu": mmlu, "gsm8k": gsm8k, "ifeval-like": ifeval}
SPLITS = {
    "hellaswag": ("validation", "train"),
    "arc": ("test", "train"),
    "mmlu": ("test", "dev"),
    "gsm8k": ("test", "train"),
    "ifeval-like": ("train", None),
}


def path(folder, name, split):
    return os.path.join(folder, name, f"{split}-00000-of-00001.parquet")


def make(folder):
    from datasets import Dataset

    for name, row in SETS.items():
        os.makedirs(os.path.join(folder, name), exist_ok=True)
        questions, examples = SPLITS[name]
        rows = [row(i) for i in range(ITEMS + EXAMPLES)]
        Dataset.from_list(rows[:ITEMS]).to_parquet(path(folder, name, questions))
        if examples:
            Dataset.from_list(rows[ITEMS:]).to_parquet(path(folder, name, examples))


def configuration(folder, name):
    """lm-eval's own file of the task, with our items as its data set."""
    import lm_eval.tasks
    from lm_eval.tasks._yaml_loader import load_yaml

    files = {
        "hellaswag": "hellaswag/hellaswag.yaml",
        "arc": "arc/arc_challenge.yaml",
        "mmlu": "mmlu/default/mmlu_world_religions.yaml",
        "gsm8k": "gsm8k/gsm8k.yaml",
        "ifeval-like": "ifeval/ifeval.yaml",
    }
    config = load_yaml(os.path.join(os.path.dirname(lm_eval.tasks.__file__), files[name]))
    data = {split: path(folder, name, split) for split in SPLITS[name] if split}
    config.update(
        task=f"ours_{name}",
        dataset_path="parquet",
        dataset_kwargs={"data_files": data},
        num_fewshot=SHOTS if SPLITS[name][1] else 0,
    )
    for key in ["dataset_name", "tag", "task_alias", "include", "group"]:
        config.pop(key, None)
    if name == "arc":
        config["validation_split"] = None
    if "generation_kwargs" in config:
        config["generation_kwargs"]["max_gen_toks"] = TOKENS
    return config


def evaluate(folder, url, model, model_dir):
    import lm_eval

    without_downloads()
    from lm_eval.tasks import TaskManager

    return lm_eval.simple_evaluate(
        model="local-completions",
        model_args=dict(
            model=model,
            base_url=f"{url}/v1/completions",
            max_retries=1,
            tokenizer_backend="huggingface",
            tokenizer=model_dir,
            max_length=MAX_LENGTH,
        ),
        tasks=[configuration(folder, name) for name in SETS],
        task_manager=TaskManager(),
        bootstrap_iters=0,
        log_samples=True,
    )


def ours(run, name):
    answers = []
    for part in os.listdir(run):
        with open(os.path.join(run, part, "task-answers.jsonl")) as file:
            answers += [each for each in map(json.loads, file) if each["task"] == name]
    return answers


def compare(folder, run, url, key, model, model_dir):
    os.environ.update(OPENAI_API_KEY=key, HF_HOME=os.path.join(folder, "hf"))
    result = evaluate(folder, url, model, model_dir)
    compared = 0
    for name in SETS:
        samples = sorted(result["samples"][f"ours_{name}"], key=lambda each: each["doc_id"])
        answers = ours(run, name)
        if name == "gsm8k":
            strict = [each for each in samples if each["filter"] == "strict-match"]
            flexible = [each for each in samples if each["filter"] == "flexible-extract"]
            for answer, s, f in zip(answers, strict, flexible, strict=True):
                assert answer["answer"] == s["resps"][0][0], (answer, s["resps"])
                assert answer["figures"]["exact_match_strict"] == [s["exact_match"]]
                assert answer["figures"]["exact_match_flexible"] == [f["exact_match"]]
                compared += 1
            continue
        if name == "ifeval-like":
            for answer, sample in zip(answers, samples, strict=True):
                assert answer["answer"] == sample["resps"][0][0], (answer, sample["resps"])
                for ours_, theirs in INSTRUCTION_METRICS.items():
                    value = sample[theirs] if isinstance(sample[theirs], list) else [sample[theirs]]
                    assert answer["figures"][ours_] == [int(each) for each in value], (ours_, answer, sample)
                compared += 1
            continue
        for answer, sample in zip(answers, samples, strict=True):
            theirs = [float(log_prob) for log_prob, _ in sample["filtered_resps"]]
            assert answer["logLikelihoods"] == theirs, (name, answer, theirs)
            for metric, [value] in answer["figures"].items():
                assert value == sample[metric], (name, metric, answer)
            compared += len(theirs)
        print(f"  {name}: {result['results'][f'ours_{name}']}")
    print(f"{compared} log-likelihoods and answers equal, difference 0")


if sys.argv[1] == "make":
    make(*sys.argv[2:])
else:
    compare(*sys.argv[2:])
