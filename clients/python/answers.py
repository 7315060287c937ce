"""Answers of words: whole and streamed, their usage, their shapes, what went into them."""

import asyncio

from openai import AsyncOpenAI

from asks import FORECAST as FORECAST_WORDS
from asks import LOOK, PNG_URL, Forecast
from chat import QUESTION, ask, client
from stage import BACKEND, TOKENS, Skipped, check, equal, model, scenario

# The billionth second since 1970: no answer is as old as that.
YEAR_2001 = 1_000_000_000

FORECAST = {"role": "user", "content": FORECAST_WORDS}


def words(chunks):
    """The text of a stream, and its finish reasons."""
    choices = [choice for chunk in chunks for choice in chunk.choices]
    text = "".join(choice.delta.content or "" for choice in choices)
    return text, [choice.finish_reason for choice in choices if choice.finish_reason]


def check_usage(usage):
    check(usage is not None, "no usage")
    equal(usage.completion_tokens, TOKENS, "completion tokens")
    check(usage.prompt_tokens > 0, "no prompt tokens")
    equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens, "total tokens")


@scenario("plain")
def plain():
    answer = ask()
    equal(answer.object, "chat.completion", "object")
    check(answer.id and answer.created > YEAR_2001, "no id or no time")
    [choice] = answer.choices
    equal((choice.index, choice.finish_reason), (0, "stop"), "index and finish reason")
    equal(choice.message.role, "assistant", "role")
    check(choice.message.content, "no content")
    check(not choice.message.tool_calls and not choice.message.refusal, "calls or a refusal")
    check_usage(answer.usage)


@scenario("stream")
def stream():
    chunks = list(ask(stream=True))
    text, finishes = words(chunks)
    equal(text, ask().choices[0].message.content, "streamed text")
    equal(finishes, ["stop"], "finish reasons")
    equal({chunk.object for chunk in chunks}, {"chat.completion.chunk"}, "objects")
    equal(len({(chunk.id, chunk.created) for chunk in chunks}), 1, "ids in one stream")
    roles = [choice.delta.role for chunk in chunks for choice in chunk.choices]
    equal([role for role in roles if role], ["assistant"], "roles")
    check(all(chunk.usage is None for chunk in chunks), "usage that was not asked for")
    check(len(chunks) > TOKENS / 2, f"only {len(chunks)} chunks")


@scenario("stream with usage")
def stream_with_usage():
    *chunks, last = ask(stream=True, stream_options={"include_usage": True})
    equal(words(chunks)[1], ["stop"], "finish reasons")
    equal(last.choices, [], "choices of the last chunk")
    check_usage(last.usage)
    equal(last.usage.total_tokens, ask().usage.total_tokens, "total tokens")
    check(all(chunk.usage is None for chunk in chunks), "usage before the last chunk")


@scenario("wide characters by the byte")
def wide_characters():
    text = words(ask(lane="wide", stream=True))[0]
    equal(text, ask(lane="wide").choices[0].message.content, "streamed text")
    check(not text.isascii() and "\ufffd" not in text, "characters were lost")


@scenario("system prompt")
def system_prompt():
    bare = ask()
    for role in ("system", "developer"):
        prompt = {"role": role, "content": "You are a bridge and you answer briefly."}
        told = ask([prompt, QUESTION])
        equal(told.choices[0].message.content, bare.choices[0].message.content, "text")
        check(told.usage.prompt_tokens > bare.usage.prompt_tokens, f"the {role} prompt was lost")


@scenario("several turns")
def several_turns():
    first = {"role": "user", "content": "Good morning, who are you?"}
    reply = ask([first]).choices[0].message
    whole = ask([first, reply, QUESTION])
    bare = ask()
    equal(whole.choices[0].message.content, bare.choices[0].message.content, "text")
    more = whole.usage.prompt_tokens - bare.usage.prompt_tokens
    check(more > TOKENS / 2, f"earlier turns were lost: {more} tokens more")


@scenario("image")
def image():
    parts = [
        {"type": "text", "text": LOOK},
        {"type": "image_url", "image_url": {"url": PNG_URL}},
        {"type": "image_url", "image_url": {"url": PNG_URL, "detail": "low"}},
    ]
    said = ask([{"role": "user", "content": parts}]).choices[0].message.content
    check(said.startswith("I see 2 images."), said)


@scenario("length limit")
def length_limit():
    # Providers of the Responses dialect know no limit below 16.
    for limit in ("max_tokens", "max_completion_tokens"):
        answer = ask(lane="long", **{limit: 16})
        equal(answer.choices[0].finish_reason, "length", f"finish reason by {limit}")
        equal(answer.usage.completion_tokens, 16, f"completion tokens by {limit}")


@scenario("two choices")
def two_choices():
    if BACKEND != "openai":
        raise Skipped("only OpenAI's chat dialect asks for several")
    answer = ask(n=2)
    equal([choice.index for choice in answer.choices], [0, 1], "indices")
    texts = [choice.message.content for choice in answer.choices]
    check(texts[0] != texts[1] and all(texts), "the choices are not two")
    streamed = ["", ""]
    for chunk in ask(n=2, stream=True):
        for choice in chunk.choices:
            streamed[choice.index] += choice.delta.content or ""
    equal(streamed, texts, "streamed choices")


@scenario("reasoning")
def reasoning():
    if BACKEND == "responses":
        raise Skipped("that dialect shows its reasoning only to who asks, which chat cannot")
    message = ask(lane="think").choices[0].message
    thought = message.reasoning_content
    check(thought and message.content and thought not in message.content, "no reasoning apart")
    streamed, text = "", ""
    for chunk in ask(lane="think", stream=True):
        for choice in chunk.choices:
            piece = getattr(choice.delta, "reasoning_content", None) or ""
            check(not (piece and text), "reasoning after the text")
            streamed += piece
            text += choice.delta.content or ""
    equal((streamed, text), (thought, message.content), "streamed reasoning and text")
    history = [QUESTION, message, {"role": "user", "content": "And then?"}]
    check(ask(history, lane="think").choices[0].message.content, "no answer to its own reasoning")


@scenario("JSON schema")
def json_schema():
    completions = client.chat.completions
    answer = completions.parse(model=model(), messages=[FORECAST], response_format=Forecast)
    equal(type(answer.choices[0].message.parsed), Forecast, "parsed")
    equal(answer.choices[0].finish_reason, "stop", "finish reason")


@scenario("JSON schema streamed")
def json_schema_streamed():
    completions = client.chat.completions
    whole = completions.parse(model=model(), messages=[FORECAST], response_format=Forecast)
    with completions.stream(
        model=model(), messages=[FORECAST], response_format=Forecast
    ) as events:
        kinds = [event.type for event in events]
        final = events.get_final_completion()
    equal(final.choices[0].message.parsed, whole.choices[0].message.parsed, "parsed")
    check(kinds.count("content.delta") > 3, f"events were {kinds}")
    equal(kinds.count("content.done"), 1, "content.done events")


@scenario("many at once")
def many_at_once():
    async def one(clients, number):
        question = {"role": "user", "content": f"Question number {number}?"}
        completions = clients.chat.completions
        stream = await completions.create(model=model(), messages=[question], stream=True)
        return words([chunk async for chunk in stream])

    async def all_of_them():
        async with AsyncOpenAI() as clients:
            return await asyncio.gather(*(one(clients, number) for number in range(16)))

    answers = asyncio.run(all_of_them())
    equal({tuple(finishes) for _, finishes in answers}, {("stop",)}, "finish reasons")
    equal(len({text for text, _ in answers}), 16, "different answers")


@scenario("models")
def models():
    listed = [each.id for each in client.models.list()]
    check(model() in listed and model("cut") in listed, f"listed: {listed[:5]}")
    equal(client.models.retrieve(model()).id, model(), "retrieved model")


@scenario("headers")
def headers():
    raw = client.chat.completions.with_raw_response.create(model=model(), messages=[QUESTION])
    answer = raw.parse()
    deployment = f"{BACKEND}/sim-20"
    equal(raw.headers["x-weighbridge-model"], deployment, "x-weighbridge-model")
    equal(raw.headers["x-weighbridge-requested-model"], model(), "x-weighbridge-requested-model")
    equal(raw.headers["x-weighbridge-attempts"], "1", "x-weighbridge-attempts")
    check(float(raw.headers["x-weighbridge-cost-usd"]) > 0, "no cost")
    equal(answer._request_id, raw.headers["x-request-id"], "_request_id")
    check(answer._request_id, "no request id")
    equal(answer.model, "sim-20", "model in the body")
