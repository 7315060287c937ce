"""Claude Code without its terminal: `claude -p`, by the door of Anthropic's API."""

import json
import sys

from agent import DONE, PROMPT, WEIGHED, check_journal, turn
from stage import check, equal, model, play, scenario

# Nothing may leave the loopback; every model it asks for by itself is one of this world's.
QUIET = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_TELEMETRY": "1",
    "DISABLE_ERROR_REPORTING": "1",
    "DISABLE_AUTOUPDATER": "1",
    "ANTHROPIC_DEFAULT_HAIKU_MODEL": model(),
    "ANTHROPIC_DEFAULT_SONNET_MODEL": model(),
    "ANTHROPIC_DEFAULT_OPUS_MODEL": model(),
}


def claude(lane, *words):
    command = ["claude", "-p", PROMPT, "--model", model(lane), *words]
    return turn([*command, "--output-format", "stream-json", "--verbose"], lane, **QUIET)


@scenario("turn with a tool")
def turn_with_a_tool():
    events, status = claude("agent", "--allowedTools", "Bash")
    result = events[-1]
    equal((result["type"], result.get("subtype"), status), ("result", "success", 0), "ending")
    equal(result["result"], DONE, "last words")
    told = [json.dumps(event) for event in events if event["type"] == "user"]
    check(any(WEIGHED in text for text in told), f"the tool was not run: {told}")
    check_journal()


@scenario("turn of words")
def turn_of_words():
    events, status = claude("", "--tools", "")
    result = events[-1]
    equal((result.get("subtype"), status), ("success", 0), "ending")
    check(result["result"] and result["usage"]["output_tokens"] > 0, "no words or no usage")


@scenario("error of the model's name")
def unknown_model():
    events, status = claude("of-nobody")
    result = events[-1]
    check(result["is_error"] and status != 0, f"no error, but {result}")


play(sys.argv[1:])
