"""Pydantic AI: agents over the models of OpenAI (both doors) and Anthropic, by the door named."""

import asyncio
import os
import sys

from pydantic_ai import Agent, BinaryContent, NativeOutput, ToolOutput
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel

from asks import BOTH, FORECAST, LOOK, ONE, PNG, RESULTS, WORDS, Forecast, check_results
from stage import (
    PATIENCE, TOKENS, Skipped, check, check_gone, check_refused_once, equal, gone, model, play,
    scenario,
)

DOOR = os.environ["DOOR"]
MODELS = {
    "chat": OpenAIChatModel,
    "responses": OpenAIResponsesModel,
    "messages": AnthropicModel,
}[DOOR]


def agent(lane="", **options):
    return Agent(MODELS(model(lane)), **options)


def equipped():
    """An agent with two tools, and what they were asked."""
    told, made = [], agent()

    @made.tool_plain
    def get_weather(city: str) -> str:
        """The weather of a city."""
        told.append(("get_weather", city))
        return RESULTS[0]

    @made.tool_plain
    def get_time(city: str) -> str:
        """The time of day in a city."""
        told.append(("get_time", city))
        return RESULTS[1]

    return made, told


@scenario("plain")
def plain():
    answer = agent().run_sync(WORDS)
    check(answer.output, "no text")
    equal(answer.usage.output_tokens, TOKENS, "output tokens")


@scenario("stream")
def stream():
    async def streamed():
        async with agent().run_stream(WORDS) as answer:
            return [piece async for piece in answer.stream_text(delta=True, debounce_by=None)]

    pieces = asyncio.run(streamed())
    equal("".join(pieces), agent().run_sync(WORDS).output, "streamed text")
    check(len(pieces) > TOKENS / 2, f"only {len(pieces)} pieces")


@scenario("system prompt")
def system_prompt():
    told = agent(instructions="You are a bridge.").run_sync(WORDS).usage.input_tokens
    check(told > agent().run_sync(WORDS).usage.input_tokens, "the instructions were lost")


@scenario("image")
def image():
    picture = BinaryContent(data=PNG, media_type="image/png")
    said = agent().run_sync([LOOK, picture, picture]).output
    check(said.startswith("I see 2 images."), said)


@scenario("JSON schema")
def json_schema():
    if DOOR == "messages":
        raise Skipped("it asks for JSON schemas only of Claude models that it knows by name")
    answer = agent(output_type=NativeOutput(Forecast)).run_sync(FORECAST)
    equal(type(answer.output), Forecast, "output")


@scenario("JSON by a tool")
def json_by_tool():
    answer = agent(output_type=ToolOutput(Forecast)).run_sync(FORECAST)
    equal(type(answer.output), Forecast, "output")


@scenario("tools")
def tools():
    made, told = equipped()
    said = made.run_sync(ONE).output
    equal([name for name, _ in told], ["get_weather"], "calls")
    check(said.startswith("The tool answered:") and RESULTS[0] in said, said)


@scenario("parallel tools")
def parallel_tools():
    made, told = equipped()
    check_results(made.run_sync(BOTH).output)
    equal(sorted(name for name, _ in told), ["get_time", "get_weather"], "calls")


@scenario("parallel tools streamed")
def parallel_tools_streamed():
    async def listen(_, events):
        heard.extend([event async for event in events])

    (made, told), heard = equipped(), []
    check_results(made.run_sync(BOTH, event_stream_handler=listen).output)
    equal((len(told), len(heard) > 4), (2, True), "calls and events")


@scenario("several turns")
def several_turns():
    made = agent()
    first = made.run_sync("Good morning, who are you?")
    whole = made.run_sync(WORDS, message_history=first.all_messages())
    bare = made.run_sync(WORDS)
    equal(whole.output, bare.output, "text")
    check(whole.usage.input_tokens > bare.usage.input_tokens, "earlier turns were lost")


@scenario("retry after a rate limit")
def retry_after():
    equal(agent("limited-once").run_sync(WORDS).usage.output_tokens, TOKENS, "output tokens")
    check_refused_once()


@scenario("stream cut in the middle")
def cut():
    text = []

    async def streamed():
        async with agent("cut").run_stream(WORDS) as answer:
            async for piece in answer.stream_text(delta=True, debounce_by=None):
                text.append(piece)

    try:
        asyncio.run(streamed())
    except Exception:  # Each vendor's SDK has its own kind.
        whole, part = agent().run_sync(WORDS).output, "".join(text)
        check(part and whole != part and whole.startswith(part), f"received: {part!r}")
    else:
        raise AssertionError("a cut answer looks complete")


@scenario("cancellation")
def cancellation():
    async def cancelled():
        await asyncio.wait_for(agent("endless").run(WORDS), PATIENCE)

    before = gone("-f40")
    try:
        asyncio.run(cancelled())
    except TimeoutError:
        check_gone(before)
    else:
        raise AssertionError("an endless answer came to an end")


play(sys.argv[1:])
