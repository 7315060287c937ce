"""The command `llm`: its own process for every question, told of the gateway by its own file."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

from asks import FORECAST, LOOK, ONE, PNG, WORDS, Forecast
from stage import check, check_refused_once, equal, model, play, scenario

LLM = pathlib.Path(sys.executable).parent / "llm"
LANES = ["", "limited-once", "cut", "bad-key"]
SECONDS = 30

# A tool as a user of the command writes it.
TOOL = """
def get_weather(city: str) -> str:
    "The weather of a city"
    return "18 degrees and sunny"
"""

HOME = pathlib.Path(tempfile.mkdtemp(prefix="llm-"))


def settle():
    """The file in which users list models of OpenAI-compatible servers; JSON is YAML."""
    rows = [
        {
            "model_id": model(lane),
            "model_name": model(lane),
            "api_base": os.environ["OPENAI_BASE_URL"],
            "api_key_name": "weighbridge",
            "supports_tools": True,
            "supports_schema": True,
            "vision": True,
        }
        for lane in LANES
    ]
    (HOME / "extra-openai-models.yaml").write_text(json.dumps(rows))
    keys = {"weighbridge": os.environ["OPENAI_API_KEY"]}
    (HOME / "keys.json").write_text(json.dumps(keys))
    (HOME / "picture.png").write_bytes(PNG)


def run(*words, lane=""):
    command = [LLM, "-m", model(lane), *words]
    environment = {**os.environ, "LLM_USER_PATH": str(HOME)}
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=SECONDS
    )


def said(*words, lane=""):
    done = run(*words, lane=lane)
    equal(done.returncode, 0, f"exit status ({done.stderr.strip()[-300:]})")
    return done.stdout.strip()


@scenario("plain and stream")
def plain():
    text = said("--no-stream", WORDS)
    check(text, "no text")
    equal(said(WORDS), text, "streamed text")


@scenario("system prompt")
def system_prompt():
    equal(said("-s", "You are a bridge.", WORDS), said(WORDS), "text")


@scenario("several turns")
def several_turns():
    said("Good morning, who are you?")
    check(said("-c", WORDS), "no text")


@scenario("image")
def image():
    text = said("-a", str(HOME / "picture.png"), LOOK)
    check(text.startswith("I see 1 image."), text)


@scenario("JSON schema")
def json_schema():
    shape = json.dumps(Forecast.model_json_schema())
    Forecast.model_validate_json(said("--schema", shape, FORECAST))


@scenario("tools")
def tools():
    text = said("--functions", TOOL, ONE)
    check("The tool answered: 18 degrees and sunny" in text, text)


@scenario("retry after a rate limit")
def retry_after():
    check(said("--no-stream", WORDS, lane="limited-once"), "no text")
    check_refused_once()


@scenario("stream cut in the middle")
def cut():
    done = run(WORDS, lane="cut")
    check(done.returncode != 0 and done.stderr, f"a cut answer looks complete: {done.stdout}")


@scenario("error of the provider's key")
def bad_key():
    done = run(WORDS, lane="bad-key")
    check(done.returncode != 0 and done.stderr, f"no error, but {done.stdout}")


settle()
play(sys.argv[1:])
