"""What the scenarios of every client share: names of models, the simulator's journal, the play.

A scenario is a function with a name; it fails by raising. One line of JSON a scenario goes to
standard output, tracebacks to standard error. Nothing here knows a client: this file needs Python
alone, so that every environment can load it.
"""

import json
import os
import sys
import time
import traceback
import urllib.request

BACKEND = os.environ["BACKEND"]
GATEWAY = os.environ["GATEWAY"]
SIM = os.environ["SIM"]

# At once, on a busy machine. The endless answer would go on for minutes.
SOON = 3

# How long a caller waits who then gives up: the answer has begun by then.
PATIENCE = 1

# Tokens of a healthy answer in these worlds.
TOKENS = 20

SCENARIOS = []


class Skipped(Exception):
    """The scenario says nothing about this backend or this client; the text says why."""


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


def raised(kinds, call):
    """The exception of exactly one of these kinds that `call` raises."""
    kinds = kinds if isinstance(kinds, tuple) else (kinds,)
    try:
        result = call()
    except Exception as error:
        if type(error) not in kinds:
            raise
        return error
    raise AssertionError(f"no error, but {result!r}"[:300])


def model(lane=""):
    return f"on-{BACKEND}-{lane}" if lane else f"on-{BACKEND}"


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


def check_refused_once():
    """The provider of the lane that is limited once was asked exactly twice."""
    sent = [entry["status"] for entry in journal("-once")]
    equal(sent, [429, 200], "what the provider sent")


def check_gone(before=0):
    """The provider of the endless answer learned at once that one more client left."""
    check(gone_within("-f40", SOON, before + 1), "the provider was not told at once")


def tell(name, result, reason=""):
    print(json.dumps({"scenario": name, "result": result, "reason": reason[:400]}), flush=True)


def play(words):
    """Plays every scenario, or those whose name contains one of `words`."""
    for name, scene in SCENARIOS:
        if words and not any(word in name for word in words):
            continue
        try:
            scene()
        except Skipped as why:
            tell(name, "skipped", str(why))
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            tell(name, "failed", f"{type(error).__name__}: {error}")
        else:
            tell(name, "ok")
    tell("END", "ok")
