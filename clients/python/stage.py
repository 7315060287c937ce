"""What the scenarios share: the client, the names of models, the simulator's journal, the play.

The client is the SDK as an application would make it: base URL and key come from the environment
variables that the SDK itself reads. A scenario is a function with a name; it fails by raising. One
line of JSON a scenario goes to standard output, tracebacks to standard error.
"""

import json
import os
import sys
import time
import traceback
import urllib.request

from openai import OpenAI

BACKEND = os.environ["BACKEND"]
SIM = os.environ["SIM"]

# What the simulator says to a question depends on the question alone, so it can be asked twice.
QUESTION = {"role": "user", "content": "What is a weighbridge?"}

# Tokens of a healthy answer in these worlds.
TOKENS = 20

SCENARIOS = []

client = OpenAI()

# The SDK tries again by itself twice; where one answer is looked at, it must not.
once = client.with_options(max_retries=0)


class Skipped(Exception):
    """The scenario says nothing about this backend."""


def scenario(name):
    def register(play):
        SCENARIOS.append((name, play))
        return play

    return register


def check(truth, words):
    """Unlike `assert` it is never switched off."""
    if not truth:
        raise AssertionError(words)


def equal(found, wanted, what):
    check(found == wanted, f"{what}: {found!r} instead of {wanted!r}")


def model(lane=""):
    return f"on-{BACKEND}-{lane}" if lane else f"on-{BACKEND}"


def ask(messages=None, lane="", by=client, **options):
    """One question to a lane."""
    return by.chat.completions.create(model=model(lane), messages=messages or [QUESTION], **options)


def journal(lane):
    """The simulator's entries of the lane's provider: what really reached it."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{SIM}/sim/journal", timeout=5) as page:
        entries = json.load(page)["entries"]
    return [entry for entry in entries if lane in entry["model"]]


def gone(lane):
    """How many of the lane's clients the simulator saw leave."""
    return sum(entry["ending"] == "client_gone" for entry in journal(lane))


def gone_within(lane, seconds, count=1):
    """Whether the simulator sees so many of its clients leave in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if gone(lane) >= count:
            return True
        time.sleep(0.02)
    return False


def tell(name, result, reason=""):
    print(json.dumps({"scenario": name, "result": result, "reason": reason}), flush=True)


def play(words):
    """Plays every scenario, or those whose name contains one of `words`."""
    for name, scene in SCENARIOS:
        if words and not any(word in name for word in words):
            continue
        try:
            scene()
        except Skipped:
            tell(name, "skipped")
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            tell(name, "failed", f"{type(error).__name__}: {error}"[:400])
        else:
            tell(name, "ok")
    tell("END", "ok")
