"""LangChain's chat models: of OpenAI by both its doors, and of Anthropic, by the door named."""

import asyncio
import os
import sys

from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

from asks import (
    BOTH, FORECAST, LOOK, NAMES, ONE, PNG_URL, RESULTS, TOOLS, WORDS, Forecast, check_calls,
    check_results,
)
from stage import (
    BACKEND, PATIENCE, TOKENS, Skipped, check, check_gone, check_refused_once, equal, gone, model,
    play, scenario,
)

DOOR = os.environ["DOOR"]

FUNCTIONS = [
    {"type": "function", "function": {"name": name, "description": words, "parameters": schema}}
    for name, words, schema in TOOLS
]


def chat(lane="", **options):
    if DOOR == "messages":
        return ChatAnthropic(model=model(lane), max_tokens=2000, **options)
    return ChatOpenAI(model=model(lane), use_responses_api=DOOR == "responses", **options)


def called(message):
    return [(call["id"], call["name"], call["args"]) for call in message.tool_calls]


@scenario("plain")
def plain():
    answer = chat().invoke(WORDS)
    check(answer.text, "no text")
    equal(answer.usage_metadata["output_tokens"], TOKENS, "output tokens")


@scenario("stream")
def stream():
    chunks = list(chat(stream_usage=True).stream(WORDS))
    equal("".join(chunk.text for chunk in chunks), chat().invoke(WORDS).text, "streamed text")
    check(len(chunks) > TOKENS / 2, f"only {len(chunks)} chunks")
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole = whole + chunk
    equal(whole.usage_metadata["output_tokens"], TOKENS, "output tokens")


@scenario("system prompt")
def system_prompt():
    told = chat().invoke([SystemMessage("You are a bridge."), HumanMessage(WORDS)])
    bare = chat().invoke(WORDS)
    check(told.usage_metadata["input_tokens"] > bare.usage_metadata["input_tokens"], "it was lost")


@scenario("image")
def image():
    picture = {"type": "image_url", "image_url": {"url": PNG_URL}}
    parts = [{"type": "text", "text": LOOK}, picture, picture]
    said = chat().invoke([HumanMessage(parts)]).text
    check(said.startswith("I see 2 images."), said)


@scenario("JSON schema")
def json_schema():
    bound = chat().with_structured_output(Forecast, method="json_schema")
    equal(type(bound.invoke(FORECAST)), Forecast, "parsed")


@scenario("JSON by a tool")
def json_by_tool():
    bound = chat().with_structured_output(Forecast, method="function_calling")
    equal(type(bound.invoke(FORECAST)), Forecast, "parsed")


@scenario("tools")
def tools():
    check_calls(called(chat().bind_tools(FUNCTIONS).invoke(ONE)), NAMES[:1])


@scenario("parallel tools")
def parallel_tools():
    check_calls(called(chat().bind_tools(FUNCTIONS).invoke(BOTH)), NAMES)


@scenario("parallel tools streamed")
def parallel_tools_streamed():
    whole = None
    for chunk in chat().bind_tools(FUNCTIONS).stream(BOTH):
        whole = chunk if whole is None else whole + chunk
    check_calls(called(whole), NAMES)


@scenario("tool results")
def tool_results():
    bound = chat().bind_tools(FUNCTIONS)
    first = bound.invoke(BOTH)
    told = [
        ToolMessage(result, tool_call_id=call["id"])
        for call, result in zip(first.tool_calls, RESULTS, strict=True)
    ]
    check_results(bound.invoke([HumanMessage(BOTH), first, *told]).text)


@scenario("embeddings")
def embeddings():
    if DOOR != "chat":
        raise Skipped("its embeddings have one door, shown above")
    if BACKEND not in ("openai", "gemini", "cohere"):
        raise Skipped("this provider has no embeddings")
    # Other models' tokens are not OpenAI's, so that words are sent.
    embedder = OpenAIEmbeddings(model=model("embed"), check_embedding_ctx_length=False)
    one, other = embedder.embed_documents([WORDS, ONE])
    check(len(one) == len(other) > 2 and one != other, "no two vectors")


@scenario("retry after a rate limit")
def retry_after():
    equal(chat("limited-once").invoke(WORDS).usage_metadata["output_tokens"], TOKENS, "tokens")
    check_refused_once()


@scenario("stream cut in the middle")
def cut():
    text = []
    try:
        for chunk in chat("cut").stream(WORDS):
            text.append(chunk.text)
    except Exception:  # Each vendor's SDK has its own kind.
        whole, part = chat().invoke(WORDS).text, "".join(text)
        check(part and whole != part and whole.startswith(part), f"received: {part!r}")
    else:
        raise AssertionError("a cut answer looks complete")


@scenario("cancellation")
def cancellation():
    async def cancelled():
        await asyncio.wait_for(chat("endless", max_retries=0).ainvoke(WORDS), PATIENCE)

    before = gone("-f40")
    try:
        asyncio.run(cancelled())
    except TimeoutError:
        check_gone(before)
    else:
        raise AssertionError("an endless answer came to an end")


play(sys.argv[1:])
