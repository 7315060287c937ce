"""anthropic-python: words, tools, shapes, counts, failures."""

import asyncio
import sys

import anthropic
from anthropic import Anthropic, AsyncAnthropic

from asks import (
    BOTH, FORECAST, LOOK, NAMES, ONE, PNG_BASE64, RESULTS, TOOLS, WORDS, Forecast, check_calls,
    check_results,
)
from stage import (
    PATIENCE, TOKENS, check, check_gone, check_refused_once, equal, gone, model, play, raised,
    scenario,
)

client = Anthropic()
once = client.with_options(max_retries=0)

FUNCTIONS = [
    {"name": name, "description": words, "input_schema": schema} for name, words, schema in TOOLS
]

# Lane, exception, status, type of the error.
REFUSALS = [
    ("limited", anthropic.RateLimitError, 429, "rate_limit_error"),
    ("bad-gateway", anthropic.InternalServerError, 502, "api_error"),
    ("overloaded", anthropic.InternalServerError, 503, "overloaded_error"),
    ("silent", anthropic.InternalServerError, 504, "timeout_error"),
    ("too-long", anthropic.BadRequestError, 400, "invalid_request_error"),
]


def asked(said=WORDS, lane="", **options):
    """The parameters of one question to a lane."""
    messages = [{"role": "user", "content": said}] if isinstance(said, str) else said
    return {"model": model(lane), "max_tokens": 2000, "messages": messages, **options}


def ask(said=WORDS, lane="", by=client, **options):
    return by.messages.create(**asked(said, lane, **options))


def text_of(message):
    return "".join(block.text for block in message.content if block.type == "text")


def called(message):
    return [(b.id, b.name, b.input) for b in message.content if b.type == "tool_use"]


@scenario("plain")
def plain():
    answer = ask()
    equal((answer.type, answer.role), ("message", "assistant"), "type and role")
    equal((answer.stop_reason, answer.stop_sequence), ("end_turn", None), "stop reason")
    equal([block.type for block in answer.content], ["text"], "blocks")
    check(answer.id and text_of(answer), "no id or no text")
    equal(answer.usage.output_tokens, TOKENS, "output tokens")
    check(answer.usage.input_tokens > 0, "no input tokens")


@scenario("stream")
def stream():
    whole = ask()
    with client.messages.stream(**asked()) as events:
        equal("".join(events.text_stream), text_of(whole), "streamed text")
        final = events.get_final_message()
    equal((final.stop_reason, text_of(final)), ("end_turn", text_of(whole)), "final message")
    equal(final.usage.output_tokens, whole.usage.output_tokens, "output tokens")
    kinds = [event.type for event in ask(stream=True)]
    equal(kinds[:2], ["message_start", "content_block_start"], "first events")
    equal(kinds[-3:], ["content_block_stop", "message_delta", "message_stop"], "last events")


@scenario("system prompt")
def system_prompt():
    bare, told = ask(), ask(system="You are a bridge and you answer briefly.")
    equal(text_of(told), text_of(bare), "text")
    check(told.usage.input_tokens > bare.usage.input_tokens, "the system prompt was lost")


@scenario("several turns")
def several_turns():
    first = {"role": "user", "content": "Good morning, who are you?"}
    reply = {"role": "assistant", "content": ask([first]).content}
    whole, bare = ask([first, reply, {"role": "user", "content": WORDS}]), ask()
    equal(text_of(whole), text_of(bare), "text")
    more = whole.usage.input_tokens - bare.usage.input_tokens
    check(more > TOKENS / 2, f"earlier turns were lost: {more} tokens more")


@scenario("image")
def image():
    source = {"type": "base64", "media_type": "image/png", "data": PNG_BASE64}
    picture = {"type": "image", "source": source}
    parts = [picture, picture, {"type": "text", "text": LOOK}]
    said = text_of(ask([{"role": "user", "content": parts}]))
    check(said.startswith("I see 2 images."), said)


@scenario("length limit")
def length_limit():
    # Providers of the Responses dialect know no limit below 16.
    answer = ask(lane="long", max_tokens=16)
    equal((answer.stop_reason, answer.usage.output_tokens), ("max_tokens", 16), "end and tokens")


@scenario("reasoning")
def reasoning():
    thinking = {"thinking": {"type": "enabled", "budget_tokens": 1024}}
    answer = ask(lane="think", **thinking)
    # What Gemini signs beside its thoughts comes back in blocks of its own.
    kinds = [block.type for block in answer.content]
    equal((kinds[0], kinds[-1], set(kinds)), ("thinking", "text", {"thinking", "text"}), "blocks")
    with client.messages.stream(**asked(lane="think", **thinking)) as events:
        final = events.get_final_message()
    equal(final.content[0].thinking, answer.content[0].thinking, "streamed reasoning")
    history = [{"role": "user", "content": WORDS}, {"role": "assistant", "content": answer.content}]
    more = ask([*history, {"role": "user", "content": "And then?"}], lane="think", **thinking)
    check(text_of(more), "no answer to its own reasoning")


@scenario("JSON schema")
def json_schema():
    answer = client.messages.parse(**asked(FORECAST, output_format=Forecast))
    equal(type(answer.parsed_output), Forecast, "parsed")


@scenario("JSON schema streamed")
def json_schema_streamed():
    whole = client.messages.parse(**asked(FORECAST, output_format=Forecast))
    with client.messages.stream(**asked(FORECAST, output_format=Forecast)) as events:
        equal(events.get_final_message().parsed_output, whole.parsed_output, "parsed")


@scenario("tools")
def tools():
    answer = ask(ONE, tools=FUNCTIONS)
    equal(answer.stop_reason, "tool_use", "stop reason")
    check_calls(called(answer), NAMES[:1])


@scenario("tool choice")
def tool_choice():
    named = {"type": "tool", "name": "get_time"}
    check_calls(called(ask(ONE, tools=FUNCTIONS, tool_choice=named)), ["get_time"])
    forced = ask(tools=FUNCTIONS, tool_choice={"type": "any"})
    equal(len(called(forced)), 1, "calls when one is required")
    idle = ask(ONE, tools=FUNCTIONS, tool_choice={"type": "none"})
    equal((idle.stop_reason, called(idle)), ("end_turn", []), "calls when none is allowed")


@scenario("parallel tools")
def parallel_tools():
    check_calls(called(ask(BOTH, tools=FUNCTIONS)), NAMES)


@scenario("parallel tools streamed")
def parallel_tools_streamed():
    with client.messages.stream(**asked(BOTH, tools=FUNCTIONS)) as events:
        final = events.get_final_message()
    equal(final.stop_reason, "tool_use", "stop reason")
    check_calls(called(final), NAMES)
    whole = called(ask(BOTH, tools=FUNCTIONS))
    equal([call[1:] for call in called(final)], [call[1:] for call in whole], "streamed calls")


@scenario("tool results")
def tool_results():
    first = ask(BOTH, tools=FUNCTIONS)
    results = [
        {"type": "tool_result", "tool_use_id": id, "content": result}
        for (id, _, _), result in zip(called(first), RESULTS, strict=True)
    ]
    turns = [
        {"role": "user", "content": BOTH},
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": results},
    ]
    answer = ask(turns, tools=FUNCTIONS)
    equal(answer.stop_reason, "end_turn", "stop reason")
    check_results(text_of(answer))


@scenario("token count")
def token_count():
    said = {"model": model(), "messages": [{"role": "user", "content": WORDS}]}
    few = client.messages.count_tokens(**said).input_tokens
    more = client.messages.count_tokens(**said, system="You answer briefly.").input_tokens
    check(0 < few < more, f"{few} tokens, then {more}")


@scenario("models")
def models():
    listed = [each.id for each in client.models.list(limit=1000)]
    check(model() in listed and model("cut") in listed, f"listed: {listed[:5]}")
    equal(client.models.retrieve(model()).id, model(), "retrieved model")


def refused(lane, kind, status, type_of):
    def play():
        for name, options in ((lane, {}), (f"{lane}-streamed", {"stream": True})):
            error = raised(kinds_of(kind), lambda: ask(lane=name, by=once, **options))
            found = (error.status_code, error.body["error"]["type"])
            equal(found, (status, type_of), "status and type")
            check(error.body["type"] == "error" and error.request_id, "shape or request id")

    return play


def kinds_of(kind):
    """The SDK's own kinds of that family: 503, 504 and 529 have names of their own in it."""
    return (kind, *kind.__subclasses__(), *EXTRA.get(kind, ()))


_named = ("OverloadedError", "ServiceUnavailableError", "DeadlineExceededError")
EXTRA = {
    anthropic.InternalServerError: tuple(
        getattr(anthropic._exceptions, name)
        for name in _named
        if hasattr(anthropic._exceptions, name)
    )
}

for row in REFUSALS:
    scenario(f"error {row[2]} ({row[0]})")(refused(*row))


@scenario("error 401")
def wrong_key():
    stranger = once.with_options(api_key="wb-not-a-key")
    error = raised(anthropic.AuthenticationError, lambda: ask(by=stranger))
    equal(error.body["error"]["type"], "authentication_error", "type")


@scenario("error 404")
def unknown_model():
    error = raised(anthropic.NotFoundError, lambda: once.messages.create(
        model="on-the-moon", max_tokens=5, messages=[{"role": "user", "content": WORDS}]
    ))
    equal(error.body["error"]["type"], "not_found_error", "type")


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
            if event.type == "content_block_delta":
                text.append(event.delta.text)

    raised((anthropic.APIStatusError, *kinds_of(anthropic.InternalServerError)), call)
    whole, part = text_of(ask()), "".join(text)
    check(part and whole != part and whole.startswith(part), f"received: {part!r}")
    check("message_stop" not in kinds, "a cut answer looks complete")


@scenario("cancellation")
def cancellation():
    stream = ask(lane="endless", stream=True)
    equal(len([event for _, event in zip(range(5), stream)]), 5, "events before leaving")
    stream.close()
    check_gone()


@scenario("cancellation by the caller")
def cancellation_by_the_caller():
    async def cancelled():
        async with AsyncAnthropic(max_retries=0) as clients:
            await asyncio.wait_for(clients.messages.create(**asked(lane="endless")), PATIENCE)

    before = gone("-f40")
    raised((TimeoutError, asyncio.TimeoutError), lambda: asyncio.run(cancelled()))
    check_gone(before)


play(sys.argv[1:])
