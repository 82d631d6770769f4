"""What transformers makes of conversations by chat templates: python make_chats.py IN OUT

IN: {templates: [{name, folder, template, names}], conversations: [[message, …], …]}. OUT: a list a template of
{text, prompt, ids, mask} a conversation; null where the template refuses it, a mask of null where the rule below
says nothing. What the assistant writes begins where the prompt of the messages before ends, and ends with the
first special token that follows.
"""
import json
import sys

from transformers import PreTrainedTokenizerFast


def tried(render):
    try:
        return render()
    except Exception:  # a template may raise anything
        return None


def spans(messages, render, specials):
    """Characters that the assistant writes, or None where the rule says nothing."""
    text = render(messages, False)
    found = []
    for i in [i for i, message in enumerate(messages) if message["role"] == "assistant"]:
        before = tried(lambda: render(messages[:i], True)) if i > 0 else None
        past = tried(lambda: render(messages[: i + 1], False))
        if before is None or past is None or not (text.startswith(before) and text.startswith(past)):
            return None
        region = text[len(before) : len(past)]
        ends = [(region.find(name), name) for name in specials if name in region]
        if not ends:
            return None
        at, name = min(ends)
        found.append((len(before), len(before) + at + len(name)))
    return found


def mask_of(tokenizer, messages, render):
    specials = [str(token) for token in tokenizer.added_tokens_decoder.values() if token.special]
    found = spans(messages, render, specials)
    if found is None:
        return None
    encoded = tokenizer(render(messages, False), add_special_tokens=False, return_offsets_mapping=True)
    return [int(any(s < end and e > start for start, end in found)) for s, e in encoded["offset_mapping"]]


def chats(given, conversations):
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=f"{given['folder']}/tokenizer.json", chat_template=given["template"], **given["names"]
    )

    def render(messages, prompt):
        return tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=prompt)

    for messages in conversations:
        text = tried(lambda: render(messages, False))
        if text is None:
            yield None
            continue
        yield {
            "text": text,
            "prompt": tried(lambda: render(messages, True)),
            "ids": tokenizer(text, add_special_tokens=False)["input_ids"],
            "mask": mask_of(tokenizer, messages, render),
        }


given = json.load(open(sys.argv[1], encoding="utf8"))
result = [list(chats(each, given["conversations"])) for each in given["templates"]]
with open(sys.argv[2], "w", encoding="utf8") as file:
    json.dump(result, file)
