"""google-genai for Python: words, tools, shapes, counts, embeddings, failures."""

import sys

from google import genai
from google.genai import errors, types

from asks import (
    BOTH, FORECAST, LOOK, NAMES, ONE, PNG, RESULTS, TOOLS, WORDS, Forecast, check_calls,
    check_results,
)
from stage import (
    BACKEND, TOKENS, Skipped, check, check_gone, check_refused_once, equal, model, play, raised,
    scenario,
)

client = genai.Client()
patient = genai.Client(
    http_options=types.HttpOptions(retry_options=types.HttpRetryOptions(attempts=3))
)

FUNCTIONS = types.Tool(
    function_declarations=[
        types.FunctionDeclaration(name=name, description=words, parameters_json_schema=schema)
        for name, words, schema in TOOLS
    ]
)
BY_HAND = types.AutomaticFunctionCallingConfig(disable=True)

# Lane, exception, code, status.
REFUSALS = [
    ("limited", errors.ClientError, 429, "RESOURCE_EXHAUSTED"),
    ("bad-gateway", errors.ServerError, 502, "UNAVAILABLE"),
    ("overloaded", errors.ServerError, 503, "UNAVAILABLE"),
    ("silent", errors.ServerError, 504, "DEADLINE_EXCEEDED"),
    ("too-long", errors.ClientError, 400, "INVALID_ARGUMENT"),
]


def config(**options):
    return types.GenerateContentConfig(automatic_function_calling=BY_HAND, **options)


def ask(said=WORDS, lane="", by=client, **options):
    return by.models.generate_content(model=model(lane), contents=said, config=config(**options))


def streamed(said=WORDS, lane="", **options):
    return client.models.generate_content_stream(
        model=model(lane), contents=said, config=config(**options)
    )


def called(calls):
    return [(call.id, call.name, call.args) for call in calls or []]


def check_named(calls, names):
    """Gemini may leave ids out; then there is nothing to compare."""
    with_ids = [(id or at, name, args) for at, (id, name, args) in enumerate(calls, 1)]
    check_calls(with_ids, names)


@scenario("plain")
def plain():
    answer = ask()
    [candidate] = answer.candidates
    equal((candidate.finish_reason, candidate.content.role), ("STOP", "model"), "end and role")
    check(answer.text and answer.response_id, "no text or no id")
    usage = answer.usage_metadata
    equal(usage.candidates_token_count, TOKENS, "output tokens")
    equal(usage.total_token_count, usage.prompt_token_count + TOKENS, "total tokens")


@scenario("stream")
def stream():
    chunks, whole = list(streamed()), ask()
    equal("".join(chunk.text or "" for chunk in chunks), whole.text, "streamed text")
    ends = [c.finish_reason for chunk in chunks for c in chunk.candidates or []]
    equal([end for end in ends if end], ["STOP"], "finish reasons")
    total = whole.usage_metadata.total_token_count
    equal(chunks[-1].usage_metadata.total_token_count, total, "total tokens")
    check(len(chunks) > TOKENS / 2, f"only {len(chunks)} chunks")


@scenario("system prompt")
def system_prompt():
    bare, told = ask(), ask(system_instruction="You are a bridge and you answer briefly.")
    equal(told.text, bare.text, "text")
    more = told.usage_metadata.prompt_token_count - bare.usage_metadata.prompt_token_count
    check(more > 0, "the system prompt was lost")


@scenario("several turns")
def several_turns():
    chat, bare = client.chats.create(model=model()), ask()
    chat.send_message("Good morning, who are you?")
    answer = chat.send_message(WORDS)
    equal(answer.text, bare.text, "text")
    more = answer.usage_metadata.prompt_token_count - bare.usage_metadata.prompt_token_count
    check(more > TOKENS / 2, f"earlier turns were lost: {more} tokens more")


@scenario("image")
def image():
    picture = types.Part.from_bytes(data=PNG, mime_type="image/png")
    said = ask([LOOK, picture, picture]).text
    check(said.startswith("I see 2 images."), said)


@scenario("length limit")
def length_limit():
    # Providers of the Responses dialect know no limit below 16.
    answer = ask(lane="long", max_output_tokens=16)
    equal(answer.candidates[0].finish_reason, "MAX_TOKENS", "finish reason")
    equal(answer.usage_metadata.candidates_token_count, 16, "output tokens")


@scenario("reasoning")
def reasoning():
    thinking = types.ThinkingConfig(include_thoughts=True, thinking_budget=1024)
    content = ask(lane="think", thinking_config=thinking).candidates[0].content
    thoughts = [part.text for part in content.parts if part.thought]
    check(thoughts and content.parts[-1].text not in thoughts, "no reasoning apart")
    question = types.Content(role="user", parts=[types.Part(text=WORDS)])
    more = types.Content(role="user", parts=[types.Part(text="And then?")])
    again = ask([question, content, more], lane="think", thinking_config=thinking)
    check(again.text, "no answer to its own reasoning")


@scenario("JSON schema")
def json_schema():
    shape = {"response_mime_type": "application/json", "response_schema": Forecast}
    equal(type(ask(FORECAST, **shape).parsed), Forecast, "parsed")
    raw = {"response_mime_type": "application/json"}
    raw["response_json_schema"] = Forecast.model_json_schema()
    Forecast.model_validate_json(ask(FORECAST, **raw).text)


@scenario("JSON schema streamed")
def json_schema_streamed():
    shape = {"response_mime_type": "application/json", "response_schema": Forecast}
    text = "".join(chunk.text or "" for chunk in streamed(FORECAST, **shape))
    equal(Forecast.model_validate_json(text), ask(FORECAST, **shape).parsed, "parsed")


@scenario("tools")
def tools():
    check_named(called(ask(ONE, tools=[FUNCTIONS]).function_calls), NAMES[:1])


@scenario("tool choice")
def tool_choice():
    def chosen(**choice):
        calling = types.FunctionCallingConfig(**choice)
        tool_config = types.ToolConfig(function_calling_config=calling)
        return called(ask(ONE, tools=[FUNCTIONS], tool_config=tool_config).function_calls)

    check_named(chosen(mode="ANY", allowed_function_names=["get_time"]), ["get_time"])
    equal(len(chosen(mode="ANY")), 1, "calls when one is required")
    equal(chosen(mode="NONE"), [], "calls when none is allowed")


@scenario("parallel tools")
def parallel_tools():
    check_named(called(ask(BOTH, tools=[FUNCTIONS]).function_calls), NAMES)


@scenario("parallel tools streamed")
def parallel_tools_streamed():
    chunks = streamed(BOTH, tools=[FUNCTIONS])
    calls = [call for chunk in chunks for call in called(chunk.function_calls)]
    check_named(calls, NAMES)
    whole = called(ask(BOTH, tools=[FUNCTIONS]).function_calls)
    equal([call[1:] for call in calls], [call[1:] for call in whole], "streamed calls")


@scenario("tool results")
def tool_results():
    first = ask(BOTH, tools=[FUNCTIONS])
    results = [
        types.Part(
            function_response=types.FunctionResponse(
                id=id, name=name, response={"result": result}
            )
        )
        for (id, name, _), result in zip(called(first.function_calls), RESULTS, strict=True)
    ]
    turns = [
        types.Content(role="user", parts=[types.Part(text=BOTH)]),
        first.candidates[0].content,
        types.Content(role="user", parts=results),
    ]
    check_results(ask(turns, tools=[FUNCTIONS]).text)


@scenario("tools called by the SDK")
def tools_called_by_the_sdk():
    told = []

    def get_weather(city: str) -> str:
        """The weather of a city."""
        told.append(city)
        return RESULTS[0]

    asked = types.GenerateContentConfig(tools=[get_weather])
    answer = client.models.generate_content(model=model(), contents=ONE, config=asked)
    equal(len(told), 1, "calls")
    check(RESULTS[0] in answer.text, answer.text)


@scenario("token count")
def token_count():
    few = client.models.count_tokens(model=model(), contents=WORDS).total_tokens
    more = client.models.count_tokens(model=model(), contents=WORDS * 9).total_tokens
    check(0 < few < more, f"{few} tokens, then {more}")


@scenario("embeddings")
def embeddings():
    if BACKEND not in ("openai", "gemini", "cohere"):
        raise Skipped("this provider has no embeddings")
    contents = [types.Content(parts=[types.Part(text=said)]) for said in (WORDS, ONE)]
    answer = client.models.embed_content(model=model("embed"), contents=contents)
    check([len(each.values) > 2 for each in answer.embeddings] == [True, True], "no two vectors")
    check(answer.embeddings[0].values != answer.embeddings[1].values, "equal vectors")


@scenario("models")
def models():
    listed = [each.name for each in client.models.list()]
    check(f"models/{model()}" in listed, f"listed: {listed[:5]}")
    equal(client.models.get(model=model()).name, f"models/{model()}", "retrieved model")


def refused(lane, kind, code, status):
    def play():
        for call in (lambda: ask(lane=lane), lambda: list(streamed(lane=f"{lane}-streamed"))):
            error = raised(kind, call)
            equal((error.code, error.status), (code, status), "code and status")

    return play


for row in REFUSALS:
    scenario(f"error {row[2]} ({row[0]})")(refused(*row))


@scenario("error of the key")
def wrong_key():
    error = raised(errors.ClientError, lambda: ask(by=genai.Client(api_key="wb-not-a-key")))
    check(error.code in (400, 401) and error.status, f"{error.code} {error.status}")


@scenario("error 404")
def unknown_model():
    def call():
        client.models.generate_content(model="on-the-moon", contents=WORDS)

    error = raised(errors.ClientError, call)
    equal((error.code, error.status), (404, "NOT_FOUND"), "code and status")


@scenario("retry after a rate limit")
def retry_after():
    answer = ask(lane="limited-once", by=patient)
    equal(answer.usage_metadata.candidates_token_count, TOKENS, "output tokens")
    check_refused_once()


@scenario("stream cut in the middle")
def cut():
    text, ends = [], []

    def call():
        for chunk in streamed(lane="cut"):
            text.append(chunk.text or "")
            ends.extend(c.finish_reason for c in chunk.candidates or [] if c.finish_reason)

    raised((errors.APIError, errors.ServerError), call)
    whole, part = ask().text, "".join(text)
    check(part and whole != part and whole.startswith(part), f"received: {part!r}")
    equal(ends, [], "finish reasons")


@scenario("cancellation")
def cancellation():
    stream = streamed(lane="endless")
    equal(len([chunk for _, chunk in zip(range(5), stream)]), 5, "chunks before leaving")
    stream.close()
    check_gone()


play(sys.argv[1:])
