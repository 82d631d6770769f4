"""What transformers computes with the models that Stagecraft wrote, against what Stagecraft computed.

    python check_models.py FOLDER

FOLDER/NAME/lm and FOLDER/NAME/score hold models, FOLDER/NAME/expected.safetensors logits and a score for the
ids in it. Writes problems.json: name to what is wrong.
"""

import json
import pathlib
import sys

import torch
import transformers as hf
from safetensors.torch import load_file

torch.set_num_threads(1)
FOLDER = pathlib.Path(sys.argv[1])


def load(make, directory):
    model, report = make.from_pretrained(
        directory, dtype=torch.float32, attn_implementation="eager", output_loading_info=True)
    wrong = {key: sorted(map(str, value)) for key, value in report.items() if value}
    return model.eval(), ", ".join(f"{key}: {value}" for key, value in wrong.items())


def compare(found, expected, tolerance, what):
    """Relative to the largest value, or to 1 where that is less: one score may be near 0."""
    error = ((found - expected).abs().max() / expected.abs().max().clamp(min=1)).item()
    return [] if error <= tolerance else [f"{what} differ by {error:.1e}"]


def check(directory):
    expected = load_file(directory / "expected.safetensors")
    ids = expected["ids"].long()[None]
    with torch.no_grad():
        model, wrong = load(hf.AutoModelForCausalLM, directory / "lm")
        problems = [wrong] if wrong else []
        problems += compare(model(ids).logits[0], expected["logits"], 1e-4, "logits")
        if model.config.model_type == "granite":  # transformers has no class for its scores
            return problems
        model, wrong = load(hf.AutoModelForSequenceClassification, directory / "score")
        problems += [wrong] if wrong else []
        return problems + compare(model(ids).logits[0], expected["score"], 1e-5, "scores")


problems = {}
for directory in sorted(FOLDER.iterdir()):
    if directory.is_dir():
        problems[directory.name] = check(directory)
(FOLDER / "problems.json").write_text(json.dumps(problems))
