"""Stands in for what lm-eval's IFEval loads when it is imported and our items never use: the guess at a
language (langdetect) and the sentence model that nltk downloads."""

import sys
import types

INSTRUCTION_METRICS = {
    "prompt_strict": "prompt_level_strict_acc",
    "instruction_strict": "inst_level_strict_acc",
    "prompt_loose": "prompt_level_loose_acc",
    "instruction_loose": "inst_level_loose_acc",
}


def without_downloads():
    import nltk

    nltk.download = lambda *_, **__: True
    module = types.ModuleType("langdetect")
    module.LangDetectException = type("LangDetectException", (Exception,), {})

    def detect(_):
        raise AssertionError("an item needs a guess at its language, which is not compared")

    module.detect = detect
    sys.modules.setdefault("langdetect", module)
