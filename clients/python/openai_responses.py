"""openai-python's Responses API: words, tools, shapes, state, failures."""

import asyncio
import sys

import openai
from openai import AsyncOpenAI, OpenAI

from asks import (
    BOTH, FORECAST, LOOK, NAMES, ONE, PNG_URL, RESULTS, TOOLS, WORDS, Forecast, check_calls,
    check_results,
)
from stage import (
    BACKEND, PATIENCE, TOKENS, check, check_gone, check_refused_once, equal, gone, model, play,
    raised, scenario,
)

client = OpenAI()
once = client.with_options(max_retries=0)

FUNCTIONS = [
    {"type": "function", "name": name, "description": words, "parameters": schema, "strict": False}
    for name, words, schema in TOOLS
]

# Lane, exception, status, code.
REFUSALS = [
    ("limited", openai.RateLimitError, 429, "rate_limit_exceeded"),
    ("bad-gateway", openai.InternalServerError, 502, "upstream_5xx"),
    ("overloaded", openai.InternalServerError, 503, "upstream_overloaded"),
    ("silent", openai.InternalServerError, 504, "first_token_timeout"),
    ("too-long", openai.BadRequestError, 400, "context_length_exceeded"),
]


def ask(said=WORDS, lane="", by=client, **options):
    return by.responses.create(model=model(lane), input=said, **options)


def called(response):
    calls = [item for item in response.output if item.type == "function_call"]
    return [(call.call_id, call.name, call.arguments) for call in calls]


def streamed(said=WORDS, lane="", **options):
    """The events of a stream, whose numbers must rise one by one."""
    events = list(ask(said, lane, stream=True, **options))
    equal([event.sequence_number for event in events], list(range(len(events))), "numbers")
    equal(events[0].type, "response.created", "first event")
    return events


def joined(events, kind):
    return "".join(event.delta for event in events if event.type == kind)


@scenario("plain")
def plain():
    answer = ask()
    equal((answer.object, answer.status, answer.error), ("response", "completed", None), "shape")
    check(answer.id and answer.created_at > 1_000_000_000, "no id or no time")
    [message] = answer.output
    equal((message.type, message.role, message.status), ("message", "assistant", "completed"), "")
    check(message.id and answer.output_text, "no id or no text")
    equal(answer.usage.output_tokens, TOKENS, "output tokens")
    check(answer.usage.input_tokens > 0, "no input tokens")
    total = answer.usage.input_tokens + answer.usage.output_tokens
    equal(answer.usage.total_tokens, total, "total tokens")


@scenario("stream")
def stream():
    events, whole = streamed(), ask()
    equal(joined(events, "response.output_text.delta"), whole.output_text, "streamed text")
    final = events[-1]
    equal(final.type, "response.completed", "last event")
    equal(final.response.output_text, whole.output_text, "final text")
    equal(final.response.usage.total_tokens, whole.usage.total_tokens, "total tokens")
    kinds = [event.type for event in events if not event.type.endswith(".delta")]
    order = "output_item.added content_part.added output_text.done content_part.done"
    wanted = [f"response.{name}" for name in order.split() + ["output_item.done"]]
    equal([kind for kind in kinds if kind in wanted], wanted, "events around the text")


@scenario("stream as the SDK assembles it")
def stream_assembled():
    with client.responses.stream(model=model(), input=WORDS) as events:
        for _ in events:
            pass
        equal(events.get_final_response().output_text, ask().output_text, "text")


@scenario("system prompt")
def system_prompt():
    bare = ask()
    told = ask(instructions="You are a bridge and you answer briefly.")
    equal(told.output_text, bare.output_text, "text")
    check(told.usage.input_tokens > bare.usage.input_tokens, "the instructions were lost")


@scenario("several turns")
def several_turns():
    first = {"role": "user", "content": "Good morning, who are you?"}
    whole = ask([first, *ask([first]).output, {"role": "user", "content": WORDS}])
    bare = ask()
    equal(whole.output_text, bare.output_text, "text")
    more = whole.usage.input_tokens - bare.usage.input_tokens
    check(more > TOKENS / 2, f"earlier turns were lost: {more} tokens more")


@scenario("previous response")
def previous_response():
    if BACKEND == "responses":
        first = ask(store=True)
        told = ask("And then?", previous_response_id=first.id)
        equal(told.previous_response_id, first.id, "previous response")
        return
    call = lambda: ask("And then?", by=once, previous_response_id="resp_123")  # noqa: E731
    equal(raised(openai.BadRequestError, call).status_code, 400, "status")


@scenario("image")
def image():
    picture = {"type": "input_image", "image_url": PNG_URL, "detail": "auto"}
    parts = [{"type": "input_text", "text": LOOK}, picture, picture]
    said = ask([{"role": "user", "content": parts}]).output_text
    check(said.startswith("I see 2 images."), said)


@scenario("length limit")
def length_limit():
    answer = ask(max_output_tokens=16, lane="long")
    equal(answer.status, "incomplete", "status")
    equal(answer.incomplete_details.reason, "max_output_tokens", "reason")
    equal(answer.usage.output_tokens, 16, "output tokens")
    final = streamed(max_output_tokens=16, lane="long")[-1]
    equal((final.type, final.response.status), ("response.incomplete", "incomplete"), "last event")


@scenario("reasoning")
def reasoning():
    kept = {"include": ["reasoning.encrypted_content"], "store": False}
    answer = ask(lane="think", reasoning={"effort": "low", "summary": "auto"}, **kept)
    kinds = [item.type for item in answer.output]
    # Signatures of Gemini's that belong to text travel as reasoning items of their own.
    equal((set(kinds[:-1]), kinds[-1]), ({"reasoning"}, "message"), "items")
    check(answer.usage.output_tokens_details.reasoning_tokens >= 0, "no reasoning tokens")
    history = [{"role": "user", "content": WORDS}, *answer.output]
    more = ask([*history, {"role": "user", "content": "And then?"}], lane="think", **kept)
    check(more.output_text, "no answer to its own reasoning")


@scenario("JSON schema")
def json_schema():
    answer = client.responses.parse(model=model(), input=FORECAST, text_format=Forecast)
    equal(type(answer.output_parsed), Forecast, "parsed")


@scenario("JSON schema streamed")
def json_schema_streamed():
    whole = client.responses.parse(model=model(), input=FORECAST, text_format=Forecast)
    with client.responses.stream(model=model(), input=FORECAST, text_format=Forecast) as events:
        for _ in events:
            pass
        equal(events.get_final_response().output_parsed, whole.output_parsed, "parsed")


@scenario("tools")
def tools():
    check_calls(called(ask(ONE, tools=FUNCTIONS)), NAMES[:1])


@scenario("tool choice")
def tool_choice():
    named = {"type": "function", "name": "get_time"}
    check_calls(called(ask(ONE, tools=FUNCTIONS, tool_choice=named)), ["get_time"])
    equal(len(called(ask(tools=FUNCTIONS, tool_choice="required"))), 1, "calls when required")
    equal(called(ask(ONE, tools=FUNCTIONS, tool_choice="none")), [], "calls when none is allowed")


@scenario("parallel tools")
def parallel_tools():
    check_calls(called(ask(BOTH, tools=FUNCTIONS)), NAMES)


@scenario("parallel tools streamed")
def parallel_tools_streamed():
    events = streamed(BOTH, tools=FUNCTIONS)
    final = called(events[-1].response)
    check_calls(final, NAMES)
    deltas = joined(events, "response.function_call_arguments.delta")
    equal(deltas, "".join(arguments for _, _, arguments in final), "streamed arguments")


@scenario("tool results")
def tool_results():
    first = ask(BOTH, tools=FUNCTIONS)
    outputs = [
        {"type": "function_call_output", "call_id": call_id, "output": result}
        for (call_id, _, _), result in zip(called(first), RESULTS, strict=True)
    ]
    history = [{"role": "user", "content": BOTH}, *first.output, *outputs]
    text = ask(history, tools=FUNCTIONS).output_text
    check_results(text)
    events = streamed(history, tools=FUNCTIONS)
    equal(joined(events, "response.output_text.delta"), text, "streamed text")


def refused(lane, kind, status, code):
    def play():
        for name, options in ((lane, {}), (f"{lane}-streamed", {"stream": True})):
            error = raised(kind, lambda: ask(lane=name, by=once, **options))
            equal((error.status_code, error.code), (status, code), "status and code")

    return play


for row in REFUSALS:
    scenario(f"error {row[3]} ({row[0]})")(refused(*row))


@scenario("retry after a rate limit")
def retry_after():
    equal(ask(lane="limited-once").usage.output_tokens, TOKENS, "output tokens")
    check_refused_once()


@scenario("stream cut in the middle")
def cut():
    text, kinds = [], []

    def call():
        for event in ask(lane="cut", stream=True):
            kinds.append(event.type)
            if event.type == "response.output_text.delta":
                text.append(event.delta)
            if event.type == "response.failed":
                raise openai.OpenAIError(event.response.error.code)

    raised((openai.APIError, openai.OpenAIError), call)
    whole, part = ask().output_text, "".join(text)
    check(part and whole != part and whole.startswith(part), f"received: {part!r}")
    check("response.completed" not in kinds, "a cut answer looks complete")


@scenario("cancellation")
def cancellation():
    stream = ask(lane="endless", stream=True)
    equal(len([event for _, event in zip(range(5), stream)]), 5, "events before leaving")
    stream.close()
    check_gone()


@scenario("cancellation by the caller")
def cancellation_by_the_caller():
    async def cancelled():
        async with AsyncOpenAI(max_retries=0) as clients:
            call = clients.responses.create(model=model("endless"), input=WORDS)
            await asyncio.wait_for(call, PATIENCE)

    before = gone("-f40")
    raised((TimeoutError, asyncio.TimeoutError), lambda: asyncio.run(cancelled()))
    check_gone(before)


play(sys.argv[1:])
