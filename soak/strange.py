"""Asks every door for strange things: good requests, with something done to them.

A request is drawn from the seeds of its door, then changed: in its JSON tree (another type, a
number out of range, odd text, something missing, doubled or nested), in its bytes (cut, spoilt,
repeated keys), or around it (method, path, content type, headers). Most changes leave the rest
good, so that they reach the code behind the first check. Same seed, same requests.
"""

import base64
import concurrent.futures
import copy
import http.client
import json
import random
import time

from judge import PATIENCE_SECONDS, judged
from seeds import DOORS
from stand import EMBEDS, GROUPS

AT_ONCE = 6

# In place of a value.
ODD = [
    None, True, False, 0, -1, 1, 1.5, -0.0, 1e308, -1e308, 5e-324, 2**31, 2**53 + 1, 2**63, 2**64,
    -(2**63) - 1, 10**40, "", " ", "0", "null", "\0", "\x7f", "\ufeff", "\ufffe", "\u202e", "é" * 300,
    "e\u0301", "👩‍👩‍👧‍👦", "\ud800", "\udfff\ud800", "data:", "data:image/png;base64,", "data:,x",
    "data:image/png;base64,!!!", "https://", "http://[::1", "file:///etc/passwd", "../..", "a/b",
    "\r\nx: y", "{", "[]", "%00", "%", "wbsig1.", "wb1.", "x" * 70_000, [], {}, [[]], [{}], {"": ""},
    [None], {"type": None}, {"type": "text"}, {"type": ""}, [1, "a", None], {"$ref": "#"},
    {"type": "function"}, {"type": ["object", "null"]}, [{"type": "text", "text": None}],
]  # fmt: skip

METHODS = "GET HEAD OPTIONS PUT DELETE PATCH TRACE post QUERY".split()

TYPES = [
    "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data",
    "multipart/form-data; boundary=x", "application/json; charset=utf-16", "application/octet-stream",
    "APPLICATION/JSON", "application/problem+json", ";", "application/json;;;",
]  # fmt: skip

HEADERS = [
    ("content-encoding", "gzip"), ("content-encoding", "identity"), ("accept", "text/html"),
    ("accept-encoding", "br;q=0, *"), ("authorization", "Basic Og=="), ("authorization", "Bearer "),
    ("x-api-key", "\xff"), ("anthropic-version", "\xe9"), ("anthropic-beta", "a,b,,c"),
    ("x-weighbridge-timeout", "0s"), ("x-weighbridge-timeout", "-1"), ("x-weighbridge-strict", "true"),
    ("x-weighbridge-timeout", "99999999999999999999h"), ("x-request-id", "x" * 500),
    ("x-weighbridge-feature", "\xff\xfe"), ("cache-control", "only-if-cached, max-age=-1"),
    ("traceparent", "00-0-0-0"), ("idempotency-key", "k" * 5000), ("x-goog-api-key", ""),
    ("expect", "100-continue"), ("range", "bytes=9-0"), ("x-weighbridge-cache", "chat;"),
]  # fmt: skip


class Door:
    """One path with its good requests, and a chance of its own."""

    def __init__(self, row, seed):
        self.dialect, self.path, self.bodies = row["dialect"], row["path"], row["bodies"]
        self.models = {"chat": GROUPS, "embed": EMBEDS}.get(row["for"], [row["for"]])
        self.chance = random.Random(f"{seed} {self.path}")

    def request(self):
        """Method, path, headers and body of the next request."""
        chance = self.chance
        body, model = copy.deepcopy(chance.choice(self.bodies)), chance.choice(self.models)
        if "{model}" not in self.path:
            body["model"] = model
        for _ in range(chance.choice([1, 1, 1, 2, 3])):
            body = bent(chance, body)
        data = json.dumps(body, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")
        if chance.random() < 0.1:
            data = spoilt(chance, data)
        method, path = "POST", self.path.replace("{model}", model)
        headers = {"content-type": "application/json"}
        if chance.random() < 0.05:
            method = chance.choice(METHODS)
        if chance.random() < 0.05:
            path = misspelt(chance, path)
        if chance.random() < 0.05:
            headers["content-type"] = chance.choice(TYPES)
        if chance.random() < 0.1:
            headers.update([chance.choice(HEADERS)])
        return method, path, headers, data


def places(value, found, parent=None, key=None):
    """Every place of a tree, with its parent and its key there."""
    found.append((parent, key, value))
    if isinstance(value, (dict, list)):
        inner = value.items() if isinstance(value, dict) else enumerate(value)
        for name, child in inner:
            places(child, found, value, name)
    return found


def bent(chance, body):
    """The tree with one place changed. The model is mostly left alone."""
    found = places(body, [])
    parent, key, value = chance.choice(found)
    if key == "model" and chance.random() < 0.9 or parent is None and chance.random() < 0.9:
        return body
    what = chance.randrange(10)
    if what <= 3:
        new = chance.choice(ODD)
    elif what == 4:
        new = chance.choice(found)[2]
    elif what == 5:
        new = nested(value, chance.choice([1, 2, 30, 61, 62, 63, 64, 65, 100]), chance)
    elif what == 6 and isinstance(value, list):
        new = value * chance.choice([0, 2, 3, 50])
    elif what == 7 and isinstance(value, dict):
        new = {
            **value,
            chance.choice(["", "type", "text", "cache_control", "é", "id"]): chance.choice(ODD),
        }
    elif what == 8 and isinstance(parent, dict):
        del parent[key]
        return body
    elif what == 9 and isinstance(value, str):
        new = chance.choice(
            [value[::-1], value + "\0", value.upper(), value * 50, [value], value[:-1]]
        )
    else:
        new = chance.choice([[value], {"text": value}, str(value), [value, value]])
    if parent is None:
        return new
    parent[key] = copy.deepcopy(new)
    return body


def nested(value, depth, chance):
    for _ in range(depth):
        value = [value] if chance.random() < 0.5 else {"a": value}
    return value


def spoilt(chance, data):
    """Bytes that are mostly no JSON any more."""
    at = chance.randrange(len(data) + 1)
    what = chance.randrange(9)
    if what == 0:
        return data[:at]
    if what == 8:
        return data.replace(b"[", b"[" * 5000, 1).replace(b"]", b"]" * 5000, 1)
    if what == 1:
        return data[:at] + bytes([chance.randrange(256)]) + data[at:]
    if what == 2:
        return data.replace(b"{", b'{"model":"x","stream":true,', 1)
    if what == 3:
        return data.replace(b":", b': 1e999999, "a":', 1)
    if what == 4:
        return b"[" * chance.choice([63, 64, 65, 100_000])
    if what == 5:
        return b"\xef\xbb\xbf" + data
    if what == 6:
        return base64.b64encode(data)
    return chance.choice(
        [b"", b" ", b"null", b"[]", b'""', b"0", b"{}", b"{}{}", b"\0", data + data]
    )


def misspelt(chance, path):
    at = chance.randrange(1, len(path))
    odd = chance.choice(
        ["/", "%2F", "%2f..%2f", "%00", "%", "%zz", "%ff", "//", ":", "?", "?a=%", "#", "é", "%3A"]
    )
    odd = odd.encode("utf-8").decode("latin-1")
    return chance.choice(
        [path[:at] + odd + path[at:], path + odd, path.replace("/", odd, 3), path.upper()]
    )


class Raw(http.client.HTTPConnection):
    """Sends targets that are no URLs as they are."""

    def _encode_request(self, request):
        return request.encode("latin-1", "replace")


class Line:
    """A kept connection; a new one where the gateway said that this is the last answer."""

    def __init__(self, port):
        self.port, self.open = port, None

    def ask(self, method, path, headers, data):
        """Status, names of headers, body; or what broke, as text."""
        self.open = self.open or Raw("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)
        try:
            self.open.putrequest(method, path if path.startswith("/") else "/" + path)
            for name, value in {**headers, "content-length": str(len(data))}.items():
                self.open.putheader(name, value)
            self.open.endheaders(data)
            answer = self.open.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            return f"{type(error).__name__}: {error}"
        if answer.will_close:
            self.close()
        return answer.status, {name.lower() for name in answer.headers}, body

    def close(self):
        if self.open:
            self.open.close()
        self.open = None


def ask_door(port, row, count, seed, tally):
    door, line = Door(row, seed), Line(port)
    for _ in range(count):
        method, path, headers, data = door.request()
        begun = time.monotonic()
        said = line.ask(method, path, headers, data)
        seconds = time.monotonic() - begun
        shown = [method, path, headers, data[:20_000].decode("utf-8", "backslashreplace")]
        if isinstance(said, str):
            tally.count(door.path, 0, said, shown)
            continue
        status, names, body = said
        wrong = judged(dialect_of(path, door), method, status, names, body, seconds)
        tally.count(door.path, status, wrong, shown)
    line.close()


def dialect_of(path, door):
    """A path that leads elsewhere may answer in another dialect: None is any."""
    begin, _, end = door.path.partition("{model}")
    return door.dialect if path.startswith(begin) and path.endswith(end) else None


def ask_all(port, count, seed, tally):
    """`count` requests to each door."""
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        asked = [pool.submit(ask_door, port, row, count, seed, tally) for row in DOORS]
        for each in asked:
            each.result()
