"""Cohere's SDK: rerank and embed, and chat by its second version."""

import sys

import cohere

from asks import LOOK, NAMES, ONE, PNG_URL, TOOLS, WORDS, check_calls
from stage import (
    BACKEND, TOKENS, Skipped, check, check_refused_once, equal, model, play, raised, scenario,
)

old, client = cohere.Client(), cohere.ClientV2()

FUNCTIONS = [
    {"type": "function", "function": {"name": name, "description": words, "parameters": schema}}
    for name, words, schema in TOOLS
]


def ask(said=WORDS, lane="", **options):
    messages = [{"role": "user", "content": said}]
    return client.chat(model=model(lane), messages=messages, **options)


@scenario("rerank")
def rerank():
    if BACKEND != "cohere":
        raise Skipped("this provider has no reranking")
    documents = ["A bridge that weighs lorries.", "A fruit.", "What is a weighbridge?"]
    for each in (old, client):
        answer = each.rerank(model=model("rerank"), query=WORDS, documents=documents, top_n=2)
        scores = [result.relevance_score for result in answer.results]
        equal((len(scores), scores), (2, sorted(scores, reverse=True)), "scores")
        check(all(0 <= result.index < 3 for result in answer.results), "indices")


@scenario("embeddings")
def embeddings():
    if BACKEND not in ("openai", "gemini", "cohere"):
        raise Skipped("this provider has no embeddings")
    answer = client.embed(
        model=model("embed"),
        texts=[WORDS, ONE],
        input_type="search_document",
        embedding_types=["float"],
    )
    one, other = answer.embeddings.float_
    check(len(one) == len(other) > 2 and one != other, "no two vectors")


@scenario("plain")
def plain():
    answer = ask()
    equal((answer.finish_reason, answer.message.role), ("COMPLETE", "assistant"), "end and role")
    check(answer.id and answer.message.content[0].text, "no id or no text")
    equal(answer.usage.tokens.output_tokens, TOKENS, "output tokens")


@scenario("stream")
def stream():
    messages = [{"role": "user", "content": WORDS}]
    events = list(client.chat_stream(model=model(), messages=messages))
    text = "".join(e.delta.message.content.text for e in events if e.type == "content-delta")
    equal(text, ask().message.content[0].text, "streamed text")
    equal((events[0].type, events[-1].type), ("message-start", "message-end"), "first and last")


@scenario("image")
def image():
    picture = {"type": "image_url", "image_url": {"url": PNG_URL}}
    said = ask([{"type": "text", "text": LOOK}, picture, picture]).message.content[0].text
    check(said.startswith("I see 2 images."), said)


@scenario("tools")
def tools():
    answer = ask(ONE, tools=FUNCTIONS)
    equal(answer.finish_reason, "TOOL_CALL", "finish reason")
    calls = answer.message.tool_calls
    check_calls([(c.id, c.function.name, c.function.arguments) for c in calls], NAMES[:1])


@scenario("retry after a rate limit")
def retry_after():
    equal(ask(lane="limited-once").usage.tokens.output_tokens, TOKENS, "output tokens")
    check_refused_once()


@scenario("error 429")
def limited():
    call = lambda: ask(lane="limited", request_options={"max_retries": 0})  # noqa: E731
    error = raised(cohere.errors.TooManyRequestsError, call)
    check(error.status_code == 429 and error.body["message"], f"{error.body}")


play(sys.argv[1:])
