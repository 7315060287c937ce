"""One question through openai-python's chat completions.

The client is the SDK as an application would make it: base URL and key come from the environment
variables that the SDK itself reads.
"""

from openai import OpenAI

from asks import WORDS
from stage import model

QUESTION = {"role": "user", "content": WORDS}

client = OpenAI()

# The SDK tries again by itself twice; where one answer is looked at, it must not.
once = client.with_options(max_retries=0)


def ask(messages=None, lane="", by=client, **options):
    """One question to a lane."""
    return by.chat.completions.create(model=model(lane), messages=messages or [QUESTION], **options)
