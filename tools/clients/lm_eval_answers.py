"""lm-eval's own judgement of written answers beside ours: lm_eval_answers.py FILE, the lines of
answer-cases.mjs."""

import collections
import json
import os
import sys

from lm_eval_stubs import INSTRUCTION_METRICS, without_downloads

without_downloads()
import lm_eval.tasks
from lm_eval.api.metrics import exact_match_fn
from lm_eval.filters.extraction import RegexFilter
from lm_eval.tasks._yaml_loader import load_yaml
from lm_eval.tasks.ifeval.utils import process_results

GSM8K = load_yaml(os.path.join(os.path.dirname(lm_eval.tasks.__file__), "gsm8k/gsm8k.yaml"))


def gsm8k_of(doc, answer):
    """The task's own filters and its own way of comparing."""
    [metric] = GSM8K["metric_list"]
    how = {key: value for key, value in metric.items() if key not in ("metric", "aggregation", "higher_is_better")}
    figures = {}
    for ours, theirs in [("exact_match_strict", "strict-match"), ("exact_match_flexible", "flexible-extract")]:
        [steps] = [each["filter"] for each in GSM8K["filter_list"] if each["name"] == theirs]
        regex = {key: value for key, value in steps[0].items() if key != "function"}
        [[found]] = RegexFilter(**regex).apply([[answer]], [doc])
        result = exact_match_fn(predictions=[found], references=[doc["answer"]], **how)
        figures[ours] = [int(result["exact_match"])]
    return figures


def ifeval_of(doc, answer):
    result = process_results(doc, [answer])
    listed = {ours: result[theirs] for ours, theirs in INSTRUCTION_METRICS.items()}
    return {
        ours: [int(each) for each in (value if isinstance(value, list) else [value])]
        for ours, value in listed.items()
    }


counts = collections.Counter()
followed = collections.Counter()
differing = []
for line in open(sys.argv[1], encoding="utf-8"):
    case = json.loads(line)
    doc, answer, figures = case["doc"], case["answer"], case["figures"]
    assert not any(figures.pop("unchecked", [])), case
    is_gsm8k = "instruction_id_list" not in doc
    theirs = (gsm8k_of if is_gsm8k else ifeval_of)(doc, answer)
    if figures != theirs:
        differing.append((doc, answer, figures, theirs))
    names = list(theirs) if is_gsm8k else doc["instruction_id_list"]
    results = [each for [each] in theirs.values()] if is_gsm8k else theirs["instruction_strict"]
    for name, result in zip(names, results, strict=True):
        counts[name] += 1
        followed[name] += result

for each in differing[:20]:
    print("  differs:", each)
print(f"{sum(counts.values())} answers to {len(counts)} kinds of questions, {sum(followed.values())} right")
never = [name for name in counts if not 0 < followed[name] < counts[name]]
assert not never, f"always or never right, so nothing was compared: {never}"
print(f"{len(differing)} judged otherwise than by lm-eval")
sys.exit(1 if differing else 0)
