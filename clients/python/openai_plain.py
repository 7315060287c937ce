"""openai-python's embeddings, moderations and old completions."""

import base64
import struct
import sys

import openai
from openai import OpenAI

from asks import ONE, WORDS
from stage import (
    BACKEND, TOKENS, Skipped, check, check_gone, equal, model, play, raised, scenario,
)

client = OpenAI()
once = client.with_options(max_retries=0)


def embed(said, **options):
    if BACKEND not in ("openai", "gemini", "cohere"):
        raise Skipped("this provider has no embeddings")
    return client.embeddings.create(model=model("embed"), input=said, **options)


@scenario("embeddings")
def embeddings():
    answer = embed([WORDS, ONE])
    equal([each.index for each in answer.data], [0, 1], "indices")
    one, other = [each.embedding for each in answer.data]
    check(len(one) == len(other) > 2 and one != other, "no two vectors")
    check(answer.usage.prompt_tokens > 0, "no tokens")
    equal(embed(WORDS).data[0].embedding, one, "vector of the same words")


@scenario("embeddings as floats and as bytes")
def embedding_formats():
    floats = embed(WORDS, encoding_format="float").data[0].embedding
    packed = base64.b64decode(embed(WORDS, encoding_format="base64").data[0].embedding)
    equal(len(packed), 4 * len(floats), "bytes")
    first = struct.unpack("<f", packed[:4])[0]
    check(abs(first - floats[0]) < 1e-6, "the vectors differ")


@scenario("embeddings of a size")
def embedding_size():
    equal(len(embed(WORDS, dimensions=256).data[0].embedding), 256, "dimensions")


@scenario("moderation")
def moderation():
    if BACKEND != "openai":
        raise Skipped("this provider has no moderation")
    answer = client.moderations.create(model=model("moderate"), input=[WORDS, ONE])
    equal([type(each.flagged) for each in answer.results], [bool, bool], "results")


def complete(lane="", by=client, **options):
    return by.completions.create(model=model(lane), prompt=WORDS, **options)


@scenario("completion")
def completion():
    answer = complete(max_tokens=100)
    equal((answer.object, answer.choices[0].finish_reason), ("text_completion", "stop"), "shape")
    equal(answer.usage.completion_tokens, TOKENS, "completion tokens")
    check(answer.choices[0].text, "no text")


@scenario("completion streamed")
def completion_streamed():
    chunks = list(complete(max_tokens=100, stream=True))
    text = "".join(choice.text for chunk in chunks for choice in chunk.choices)
    equal(text, complete(max_tokens=100).choices[0].text, "streamed text")
    ends = [choice.finish_reason for chunk in chunks for choice in chunk.choices]
    equal([end for end in ends if end], ["stop"], "finish reasons")


@scenario("completion refused")
def completion_refused():
    error = raised(openai.RateLimitError, lambda: complete("limited", once))
    equal((error.status_code, error.code), (429, "rate_limit_exceeded"), "status and code")


@scenario("completion cut in the middle")
def completion_cut():
    raised(openai.APIError, lambda: list(complete("cut", stream=True)))


@scenario("completion cancelled")
def completion_cancelled():
    stream = complete("endless", stream=True)
    equal(len([chunk for _, chunk in zip(range(5), stream)]), 5, "chunks before leaving")
    stream.close()
    check_gone()


play(sys.argv[1:])
