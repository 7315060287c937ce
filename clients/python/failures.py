"""What fails, fails as the SDK's users expect: exception, status, code, retries, cancellation."""

import asyncio

import openai

from chat import QUESTION, ask, client, once
from stage import (
    PATIENCE, SOON, TOKENS, check, check_gone, equal, gone, gone_within, journal, model, raised,
    scenario,
)

# Lane, exception, status, code.
REFUSALS = [
    ("limited", openai.RateLimitError, 429, "rate_limit_exceeded"),
    ("quota", openai.InternalServerError, 502, "upstream_quota_exhausted"),
    ("bad-key", openai.InternalServerError, 502, "upstream_auth_failed"),
    ("bad-gateway", openai.InternalServerError, 502, "upstream_5xx"),
    ("failing", openai.InternalServerError, 502, "upstream_5xx"),
    ("empty", openai.InternalServerError, 502, "upstream_empty_response"),
    ("overloaded", openai.InternalServerError, 503, "upstream_overloaded"),
    ("silent", openai.InternalServerError, 504, "first_token_timeout"),
    ("too-long", openai.BadRequestError, 400, "context_length_exceeded"),
    ("filtered", openai.BadRequestError, 400, "content_policy_violation"),
]


def check_error(error, status, code):
    equal((error.status_code, error.code), (status, code), "status and code")
    check(error.message and error.type, "no message or no type")
    check(error.request_id, "no request id")


def refused(lane, kind, status, code):
    def play():
        for name, options in ((lane, {}), (f"{lane}-streamed", {"stream": True})):
            error = raised(kind, lambda: ask(lane=name, by=once, **options))
            check_error(error, status, code)
            if status in (429, 503):
                check(0 < int(error.response.headers["retry-after"]) <= 7, "no retry-after")

    return play


for row in REFUSALS:
    scenario(f"error {row[3]} ({row[0]})")(refused(*row))


@scenario("error invalid_api_key")
def wrong_key():
    stranger = once.with_options(api_key="wb-not-a-key")
    # Often, on one client: a connection that a refusal leaves broken shows at the next request.
    for call in [lambda: ask(by=stranger), lambda: list(stranger.models.list())] * 40:
        check_error(raised(openai.AuthenticationError, call), 401, "invalid_api_key")


@scenario("error model_not_found")
def unknown_model():
    def call():
        return once.chat.completions.create(model="on-the-moon", messages=[QUESTION])

    error = raised(openai.NotFoundError, call)
    check_error(error, 404, "model_not_found")
    equal(error.param, "model", "param")
    error = raised(openai.NotFoundError, lambda: once.models.retrieve("on-the-moon"))
    check_error(error, 404, "model_not_found")


@scenario("error of the request")
def bad_request():
    wrong = [{"role": "wizard", "content": "Abracadabra"}]
    error = raised(openai.BadRequestError, lambda: ask(wrong, by=once))
    equal((error.status_code, error.type), (400, "invalid_request_error"), "status and type")
    error = raised(openai.BadRequestError, lambda: ask(by=once, extra_body={"stream": "yes"}))
    equal((error.type, error.param), ("invalid_request_error", "stream"), "type and param")
    error = raised(openai.BadRequestError, lambda: ask(by=once, extra_body={"messages": "hello"}))
    equal(error.type, "invalid_request_error", "type")


@scenario("client timeout")
def client_timeout():
    hasty = client.with_options(timeout=0.5, max_retries=0)
    raised(openai.APITimeoutError, lambda: ask(lane="hanging", by=hasty))
    check(gone_within("-hanging", SOON), "the provider was not told at once")


@scenario("retry after a rate limit")
def retry_after():
    answer = ask(lane="limited-once")
    equal(answer.usage.completion_tokens, TOKENS, "completion tokens")
    equal([entry["status"] for entry in journal("-once")], [429, 200], "what the provider sent")


@scenario("no retry storm")
def no_retry_storm():
    error = raised(openai.InternalServerError, lambda: ask(lane="storm"))
    equal(error.response.headers["x-should-retry"], "false", "x-should-retry")
    attempts = int(error.response.headers["x-weighbridge-attempts"])
    equal(len(journal("-storm")), attempts, "requests that reached the provider")


@scenario("fallback")
def fallback():
    raw = client.chat.completions.with_raw_response.create(
        model=model("falling-back"), messages=[QUESTION]
    )
    equal(raw.parse().choices[0].message.content, ask().choices[0].message.content, "text")
    equal(raw.headers["x-weighbridge-attempts"], "2", "x-weighbridge-attempts")
    equal(raw.headers["x-weighbridge-fallback-reason"], "5xx", "x-weighbridge-fallback-reason")
    check("bad-gateway/" in raw.headers["x-weighbridge-fallback-from"], "wrong fallback-from")


def listen(lane):
    """The text of a stream that breaks, its finish reasons and its error."""
    text, finishes = [], []

    def call():
        for chunk in ask(lane=lane, stream=True):
            for choice in chunk.choices:
                text.append(choice.delta.content or "")
                finishes.append(choice.finish_reason)

    error = raised(openai.APIError, call)
    return "".join(text), [finish for finish in finishes if finish], error


@scenario("stream cut in the middle")
def cut():
    text, finishes, error = listen("cut")
    whole = ask().choices[0].message.content
    check(text and whole != text and whole.startswith(text), f"received: {text!r}")
    equal(finishes, [], "finish reasons")
    equal(error.code, "stream_interrupted", "code")
    check(error.message and error.type, "no message or no type")


@scenario("cut answer, unstreamed")
def cut_unstreamed():
    error = raised(openai.InternalServerError, lambda: ask(lane="cut", by=once))
    check_error(error, 502, "stream_interrupted")


@scenario("error in the stream")
def breaking():
    text, finishes, error = listen("breaking")
    check(text and error.code and error.type, f"received: {text!r}, {error!r}")
    equal(finishes, [], "finish reasons")


@scenario("cancellation")
def cancellation():
    stream = ask(lane="endless", stream=True)
    received = [chunk for _, chunk in zip(range(5), stream)]
    equal(len(received), 5, "chunks before leaving")
    stream.close()
    check_gone()


@scenario("cancellation by the caller")
def cancellation_by_the_caller():
    async def cancelled():
        async with openai.AsyncOpenAI(max_retries=0) as clients:
            call = clients.chat.completions.create(model=model("endless"), messages=[QUESTION])
            await asyncio.wait_for(call, PATIENCE)

    before = gone("-f40")
    try:
        asyncio.run(cancelled())
    except asyncio.TimeoutError:
        pass
    else:
        raise AssertionError("an endless answer came to an end")
    check_gone(before)
