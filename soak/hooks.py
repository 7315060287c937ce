"""Loaded by schemathesis: gives most requests a model that exists, and judges every answer.

Without the first nearly all of them would end at `model_not_found`. What schemathesis itself
thinks of an answer is left aside: a gateway takes more than OpenAI's document says.
"""

import atexit
import os
import random

import schemathesis
from judge import Tally, judged
from stand import EMBEDS, GROUPS

TALLY = Tally(os.environ["SOAK_TALLY"])
CHANCE = random.Random(0)

# How often the model stays as it was made up.
MADE_UP = 0.1


def groups(path):
    """What may be asked for under a path."""
    for end, found in {"embeddings": EMBEDS, "moderations": ["soak-moderate"]}.items():
        if path.endswith(end):
            return found
    return ["soak-passed"] if path.startswith(("/audio", "/images")) else GROUPS


@schemathesis.hook
def before_call(context, case, kwargs):
    if isinstance(case.body, dict) and CHANCE.random() > MADE_UP:
        case.body = {**case.body, "model": CHANCE.choice(groups(case.path))}


@schemathesis.hook
def after_call(context, case, response):
    headers = {name.lower() for name in response.headers}
    status, body = response.status_code, response.content
    wrong = judged("openai", case.method.upper(), status, headers, body, response.elapsed)
    TALLY.count(f"{case.method} {case.path}", status, wrong, case.as_curl_command())


atexit.register(TALLY.write, "schema")
