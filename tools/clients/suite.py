"""The official Python client against the API: suite.py URL KEY MODEL"""

import asyncio
import sys
import traceback

import openai

url, key, model = sys.argv[1:]
client = openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0)
ASK = dict(
    model=model,
    messages=[{"role": "user", "content": "Where is the fox?"}],
    max_tokens=24,
    seed=7,
)


def chat(**change):
    return client.chat.completions.create(**{**ASK, **change})


def text_of(answer):
    return answer.choices[0].message.content


def text_of_stream(stream):
    return "".join(c.delta.content or "" for chunk in stream for c in chunk.choices)


def raises(kind, call, **fields):
    try:
        call()
    except kind as error:
        for name, value in fields.items():
            assert getattr(error, name) == value, (name, getattr(error, name))
        return
    raise AssertionError(f"{kind.__name__} was not raised")


def lists_its_models():
    assert [m.id for m in client.models.list()] == [model]
    assert client.models.retrieve(model).id == model


def chats_with_usage():
    answer = chat()
    usage = answer.usage
    assert usage.prompt_tokens + usage.completion_tokens == usage.total_tokens
    assert answer.system_fingerprint.startswith("v0")
    assert answer.choices[0].finish_reason in ("stop", "length")


def streams_what_it_answers_at_once():
    assert text_of_stream(chat(stream=True)) == text_of(chat())
    *_, last = chat(stream=True, stream_options={"include_usage": True})
    assert last.choices == [] and last.usage == chat().usage


def gives_n_answers():
    choices = chat(n=3).choices
    assert [c.index for c in choices] == [0, 1, 2]
    assert choices[0].message.content == text_of(chat())


def stops_before_a_stop_text():
    # The first answer that is long enough to be stopped in the middle.
    seed, whole = next((s, t) for s in range(50) if len(t := text_of(chat(seed=s))) >= 8)
    stop = whole[5:8]
    answer = chat(seed=seed, stop=[stop])
    assert text_of(answer) == whole[: whole.index(stop)]
    assert answer.choices[0].finish_reason == "stop"


def answers_the_same_for_a_seed():
    assert text_of(chat()) == text_of(chat()) != text_of(chat(seed=8))


def tells_log_probs():
    answer = chat(temperature=0, logprobs=True, top_logprobs=3)
    for entry in answer.choices[0].logprobs.content:
        assert len(entry.top_logprobs) == 3
        assert entry.top_logprobs[0].logprob == entry.logprob <= 0
    echoed = client.completions.create(
        model=model, prompt="The fox", max_tokens=0, echo=True, logprobs=1
    )
    assert echoed.choices[0].text == "The fox"
    assert len(echoed.choices[0].logprobs.token_logprobs) == 7


def takes_an_answer_back_as_a_message():
    answer = chat().choices[0].message
    talk = [*ASK["messages"], answer, {"role": "user", "content": "Where is it?"}]
    assert chat(messages=talk).usage.prompt_tokens > chat().usage.prompt_tokens


def raises_the_clients_own_errors():
    stranger = openai.OpenAI(base_url=f"{url}/v1", api_key="wrong", max_retries=0)
    raises(openai.AuthenticationError, stranger.models.list, code="invalid_api_key")
    raises(openai.NotFoundError, lambda: chat(model="none"), code="model_not_found")
    raises(openai.BadRequestError, lambda: chat(temperature=-1), param="temperature")
    raises(openai.BadRequestError, lambda: chat(extra_body={"foo": 1}), code="unknown_parameter")
    raises(openai.BadRequestError, lambda: chat(tools=[]), code="unsupported_parameter")


def frees_the_place_of_a_stream_that_is_broken_off():
    for _ in range(20):
        with chat(stream=True, max_tokens=200, n=2) as stream:
            next(iter(stream))
    assert text_of(chat())


def serves_many_at_once():
    async def all_of_them():
        many = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0)
        return await asyncio.gather(
            *(many.chat.completions.create(**{**ASK, "seed": seed % 4}) for seed in range(40))
        )

    texts = [text_of(answer) for answer in asyncio.run(all_of_them())]
    assert texts == texts[:4] * 10


TESTS = [
    lists_its_models,
    chats_with_usage,
    streams_what_it_answers_at_once,
    gives_n_answers,
    stops_before_a_stop_text,
    answers_the_same_for_a_seed,
    tells_log_probs,
    takes_an_answer_back_as_a_message,
    raises_the_clients_own_errors,
    frees_the_place_of_a_stream_that_is_broken_off,
    serves_many_at_once,
]

print(f"openai {openai.__version__} for Python {sys.version.split()[0]}")
failed = 0
for test in TESTS:
    name = test.__name__.replace("_", " ")
    try:
        test()
        print(f"  ✔ {name}")
    except Exception:
        failed += 1
        print(f"  ✘ {name}\n{traceback.format_exc()}")
print(f"{len(TESTS) - failed} passed, {failed} failed")
sys.exit(failed > 0)
