"""What an answer must be, whatever was asked: the same for all who ask.

The simulated providers are healthy, so that no 5xx and no error inside a stream is anyone's fault
but ours. An error is told in the dialect of its door. Answers are not checked beyond that; what
they hold is the tests' subject.
"""

import collections
import json
import pathlib
import re
import threading

# Longer than this is a hang: the simulator answers at once.
PATIENCE_SECONDS = 10

# How an error looks, by dialect: the keys, with the keys inside `error`.
SHAPES = {
    "openai": ({"error"}, {"message", "type", "param", "code"}),
    "anthropic": ({"type", "error"}, {"type", "message"}),
    "gemini": ({"error"}, {"code", "message", "status"}),
    "cohere": ({"message"}, set()),
}

IN_BAND = re.compile(rb'(?:^|\n)(?:event: error|data: ?\{"error"|data: ?\{"type":"error")[^\n]*')


def judged(dialect, method, status, headers, body, seconds):
    """What is wrong with an answer, or None. Header names are in lower case."""
    if seconds > PATIENCE_SECONDS:
        return f"{seconds:.0f} seconds for an answer"
    # Asked for by `only-if-cached`, and the status that HTTP has for it (RFC 9111, 5.2.1.7).
    uncached = status == 504 and b"allows only a cached answer" in body
    if status >= 500 and not uncached:
        return f"status {status}: {text(body)}"
    if "x-request-id" not in headers and status != 431:
        return f"status {status} without x-request-id"
    if method == "HEAD":
        return None
    if status >= 400:
        return misshapen(dialect, status, body)
    found = IN_BAND.search(body)
    return f"an error in a stream: {text(found.group())}" if found else None


def misshapen(dialect, status, body):
    """Whether an error body is none of its dialect; of no dialect at all, if that is None."""
    try:
        value = json.loads(body)
    except ValueError:
        value = None
    for outer, inner in [SHAPES[dialect]] if dialect else SHAPES.values():
        if isinstance(value, dict) and outer <= value.keys():
            error = value.get("error")
            if not inner or isinstance(error, dict) and inner <= error.keys():
                return None
    return f"status {status} is no error of {dialect}: {text(body)}"


def text(body):
    return body[:300].decode("utf-8", "replace")


class Tally:
    """Counts statuses by door, and keeps the first example of each kind of finding."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.statuses = collections.Counter()
        self.findings = {}
        self.lock = threading.Lock()

    def count(self, door, status, wrong, request):
        """`request` is what shows the finding again, as a value that JSON can hold."""
        with self.lock:
            self.statuses[f"{door} {status}"] += 1
            if wrong is None:
                return
            kind = door + " " + re.sub(r"[0-9a-f]{32}|\d+|`[^`]*`", "#", wrong)[:120]
            seen = self.findings.setdefault(kind, {"times": 0, "wrong": wrong, "request": request})
            seen["times"] += 1

    def write(self, name):
        told = {"statuses": self.statuses, "findings": self.findings}
        (self.directory / f"{name}.json").write_text(json.dumps(told, indent=1, default=repr))
