"""LlamaIndex: the model it has for servers like OpenAI's."""

import os
import sys

from llama_index.core.llms import ChatMessage, ImageBlock, TextBlock
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai_like import OpenAILike

from asks import BOTH, FORECAST, LOOK, ONE, PNG, RESULTS, WORDS, Forecast
from stage import TOKENS, check, check_refused_once, equal, model, play, scenario


def chat(lane="", **options):
    return OpenAILike(
        model=model(lane),
        api_base=os.environ["OPENAI_BASE_URL"],
        api_key=os.environ["OPENAI_API_KEY"],
        is_chat_model=True,
        is_function_calling_model=True,
        should_use_structured_outputs=True,
        **options,
    )


def get_weather(city: str) -> str:
    """The weather of a city."""
    return RESULTS[0]


def get_time(city: str) -> str:
    """The time of day in a city."""
    return RESULTS[1]


FUNCTIONS = [FunctionTool.from_defaults(function) for function in (get_weather, get_time)]
SAID = [ChatMessage(role="user", content=WORDS)]


@scenario("plain")
def plain():
    answer = chat().chat(SAID)
    equal(str(answer.message.role.value), "assistant", "role")
    check(answer.message.content, "no text")


@scenario("stream")
def stream():
    pieces = [piece.delta for piece in chat().stream_chat(SAID) if piece.delta]
    equal("".join(pieces), chat().chat(SAID).message.content, "streamed text")
    check(len(pieces) > TOKENS / 2, f"only {len(pieces)} pieces")


@scenario("system prompt")
def system_prompt():
    told = chat().chat([ChatMessage(role="system", content="You are a bridge."), *SAID])
    equal(told.message.content, chat().chat(SAID).message.content, "text")


@scenario("image")
def image():
    picture = ImageBlock(image=PNG, image_mimetype="image/png")
    blocks = [TextBlock(text=LOOK), picture, picture]
    said = chat().chat([ChatMessage(role="user", blocks=blocks)]).message.content
    check(said.startswith("I see 2 images."), said)


@scenario("JSON schema")
def json_schema():
    answer = chat().as_structured_llm(Forecast).chat([ChatMessage(role="user", content=FORECAST)])
    equal(type(answer.raw), Forecast, "answer")


def check_called(answer, names):
    calls = chat().get_tool_calls_from_response(answer)
    equal([call.tool_name for call in calls], names, "called tools")
    check(all(set(call.tool_kwargs) == {"city"} for call in calls), "arguments")


@scenario("tools")
def tools():
    check_called(chat().chat_with_tools(FUNCTIONS, user_msg=ONE), ["get_weather"])


@scenario("parallel tools")
def parallel_tools():
    answer = chat().chat_with_tools(FUNCTIONS, user_msg=BOTH, allow_parallel_tool_calls=True)
    check_called(answer, ["get_weather", "get_time"])


@scenario("tools streamed")
def tools_streamed():
    *_, last = chat().stream_chat_with_tools(FUNCTIONS, user_msg=ONE)
    check_called(last, ["get_weather"])


@scenario("tools called by the framework")
def tools_called():
    answer = chat().predict_and_call(FUNCTIONS, user_msg=ONE)
    check(RESULTS[0] in str(answer), str(answer))


@scenario("retry after a rate limit")
def retry_after():
    check(chat("limited-once").chat(SAID).message.content, "no text")
    check_refused_once()


@scenario("stream cut in the middle")
def cut():
    text = []
    try:
        text.extend(piece.delta or "" for piece in chat("cut").stream_chat(SAID))
    except Exception:  # Each vendor's SDK has its own kind.
        whole, part = chat().chat(SAID).message.content, "".join(text)
        check(part and whole != part and whole.startswith(part), f"received: {part!r}")
    else:
        raise AssertionError("a cut answer looks complete")


play(sys.argv[1:])
