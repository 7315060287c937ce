"""Tool calls: one, several, streamed, and the turn that answers them."""

import json

from asks import BOTH as BOTH_WORDS
from asks import NAMES, ONE as ONE_WORD, RESULTS, TOOLS as ALL, check_calls, check_results
from chat import QUESTION, ask
from stage import check, equal, scenario


def function(name, description, schema):
    described = {"name": name, "description": description, "parameters": schema}
    return {"type": "function", "function": described}


TOOLS = [function(*row) for row in ALL]

ONE = [{"role": "user", "content": ONE_WORD}]
BOTH = [{"role": "user", "content": BOTH_WORDS}]


def called(message):
    return [(c.id, c.function.name, c.function.arguments) for c in message.tool_calls or []]


def assembled(chunks):
    """The calls of a stream put together by index, as clients do, and its finish reasons."""
    calls, finishes = {}, []
    for choice in (choice for chunk in chunks for choice in chunk.choices):
        finishes += [choice.finish_reason] if choice.finish_reason else []
        for part in choice.delta.tool_calls or []:
            check(part.index in calls or part.index == len(calls), f"index {part.index} jumps")
            known = calls.setdefault(part.index, {"id": part.id, "name": None, "arguments": ""})
            check(part.id in (None, known["id"]), f"the id changed to {part.id}")
            if part.function and part.function.name:
                check(known["name"] in (None, part.function.name), "the name changed")
                known["name"] = part.function.name
            known["arguments"] += (part.function and part.function.arguments) or ""
    return [tuple(call.values()) for call in calls.values()], finishes


@scenario("tools")
def tools():
    choice = ask(ONE, tools=TOOLS).choices[0]
    equal(choice.finish_reason, "tool_calls", "finish reason")
    check_calls(called(choice.message), ["get_weather"])


@scenario("tool choice")
def tool_choice():
    named = {"type": "function", "function": {"name": "get_time"}}
    check_calls(called(ask(ONE, tools=TOOLS, tool_choice=named).choices[0].message), ["get_time"])
    forced = ask([QUESTION], tools=TOOLS, tool_choice="required").choices[0]
    equal(len(called(forced.message)), 1, "calls when one is required")
    idle = ask(ONE, tools=TOOLS, tool_choice="none").choices[0]
    equal((idle.finish_reason, called(idle.message)), ("stop", []), "calls when none is allowed")


@scenario("parallel tools")
def parallel_tools():
    choice = ask(BOTH, tools=TOOLS).choices[0]
    equal(choice.finish_reason, "tool_calls", "finish reason")
    check_calls(called(choice.message), NAMES)


@scenario("tools streamed")
def tools_streamed():
    calls, finishes = assembled(ask(ONE, tools=TOOLS, stream=True))
    equal(finishes, ["tool_calls"], "finish reasons")
    check_calls(calls, ["get_weather"])


@scenario("parallel tools streamed")
def parallel_tools_streamed():
    calls, finishes = assembled(ask(BOTH, tools=TOOLS, stream=True))
    equal(finishes, ["tool_calls"], "finish reasons")
    check_calls(calls, NAMES)
    whole = called(ask(BOTH, tools=TOOLS).choices[0].message)
    same = [(name, json.loads(arguments)) for _, name, arguments in calls]
    equal(same, [(name, json.loads(a)) for _, name, a in whole], "streamed calls")


@scenario("tool results")
def tool_results():
    message = ask(BOTH, tools=TOOLS).choices[0].message
    turns = [
        {"role": "tool", "tool_call_id": call.id, "content": result}
        for call, result in zip(message.tool_calls, RESULTS, strict=True)
    ]
    history = [*BOTH, message, *turns]
    choice = ask(history, tools=TOOLS).choices[0]
    equal(choice.finish_reason, "stop", "finish reason")
    text = choice.message.content
    check_results(text)
    chunks = ask(history, tools=TOOLS, stream=True)
    deltas = [choice.delta.content or "" for chunk in chunks for choice in chunk.choices]
    equal("".join(deltas), text, "streamed text")
