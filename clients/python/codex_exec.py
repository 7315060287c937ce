"""Codex without its terminal: `codex exec`, by the door of OpenAI's Responses API."""

import sys

from agent import DONE, PROMPT, WEIGHED, check_journal, turn
from stage import GATEWAY, check, equal, model, play, scenario

PROVIDER = (
    f'{{name="Weighbridge",base_url="{GATEWAY}/v1",env_key="OPENAI_API_KEY",wire_api="responses"}}'
)
QUIET = [
    "model_provider=weighbridge",
    f"model_providers.weighbridge={PROVIDER}",
    "check_for_update_on_startup=false",
    "analytics.enabled=false",
]


def codex(lane):
    """Sandboxes of their own are no business of a test inside one; the directory is a fresh one."""
    settings = [word for setting in QUIET for word in ("-c", setting)]
    command = ["codex", "exec", "--json", "--skip-git-repo-check", "-m", model(lane), *settings]
    return turn([*command, "--dangerously-bypass-approvals-and-sandbox", PROMPT], lane)


def items(events, kind):
    done = [event["item"] for event in events if event["type"] == "item.completed"]
    return [item for item in done if item["type"] == kind]


@scenario("turn with a tool")
def turn_with_a_tool():
    events, status = codex("agent")
    equal((events[-1]["type"], status), ("turn.completed", 0), f"ending of {events}")
    [run] = items(events, "command_execution")
    equal((run["exit_code"], run["aggregated_output"]), (0, WEIGHED), "what the command printed")
    equal(items(events, "agent_message")[-1]["text"], DONE, "last words")
    check(events[-1]["usage"]["output_tokens"] > 0, "no usage")
    check_journal()


@scenario("error of the model's name")
def unknown_model():
    events, status = codex("of-nobody")
    check(events[-1]["type"] == "turn.failed" and status != 0, f"no error, but {events[-1]}")


play(sys.argv[1:])
