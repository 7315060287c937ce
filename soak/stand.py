"""A healthy simulator, and a gateway over it that knows every kind of provider.

Each kind is a group `soak-<kind>`; whoever asks draws one, so that every door is tried with every
translation. Open, on the loopback, with a breaker that never trips: a refusal that hides the next
failure would make the count a lie.
"""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
KEPT = TARGET / "soak"

# Provider -> what its section says beside its key and its models; base URLs are the simulator's.
CHATS = {
    "openai": {"base": "openai", "base_url": "/v1"},
    "anthropic": {"base": "anthropic", "base_url": "/v1"},
    "gemini": {"base": "gemini", "base_url": "/v1beta"},
    "responses": {"dialect": "openai_responses", "base_url": "/v1"},
    "bedrock": {"dialect": "bedrock_converse", "base_url": "", "auth": "bearer"},
    "cohere": {"base": "cohere", "base_url": "/v2"},
    "chat-only": {"dialect": "openai_chat", "base_url": "/v1"},
}

# Group -> deployment, of calls that are no conversations.
PLAIN = {
    "soak-embed-openai": "openai/text-embedding-3-small",
    "soak-embed-gemini": "gemini/gemini-embedding-001",
    "soak-embed-cohere": "cohere/embed-v4.0",
    "soak-rerank": "cohere/rerank-v3.5",
    "soak-moderate": "openai/omni-moderation-latest",
}

GROUPS = [f"soak-{kind}" for kind in CHATS]
EMBEDS = [name for name in PLAIN if "embed" in name]

# A few tokens an answer: what is said does not matter here.
MODEL = "sim-6"
# What audio and pictures are asked of; passed on to the first provider.
PASSED = "sim-passed"

READY_SECONDS = 20


def configuration(sim, ports, directory):
    """The configuration as a value; JSON is YAML."""
    price = {"input": "$1", "output": "$2", "context": 200000, "max_output": 4096}
    providers = {
        name: {
            **section,
            "base_url": sim + section["base_url"],
            "api_key": f"sk-sim-{name}",
            "models": {MODEL: price, PASSED: price},
        }
        for name, section in CHATS.items()
    }
    models = {f"soak-{kind}": {"deployments": [f"{kind}/{MODEL}"]} for kind in CHATS}
    models |= {group: {"deployments": [deployment]} for group, deployment in PLAIN.items()}
    models["soak-passed"] = {"deployments": [f"openai/{PASSED}"]}
    return {
        "server": {"listen": f"127.0.0.1:{ports[0]}", "admin_listen": f"127.0.0.1:{ports[1]}"},
        "data_dir": str(directory / "data"),
        "auth": "open",
        "breaker": {"failures": 1000},
        "passthrough": "openai",
        "providers": providers,
        "models": models,
    }


class Stand:
    """Started by `with`, and stopped with it."""

    def __init__(self, program):
        self.program, self.directory, self.children = program, KEPT / "stand", []

    def __enter__(self):
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)
        held = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
        data, admin, sim = (each.getsockname()[1] for each in held)
        for each in held:
            each.close()
        self.port = data
        file = self.directory / "weighbridge.yaml"
        config = configuration(f"http://127.0.0.1:{sim}", (data, admin), self.directory)
        file.write_text(json.dumps(config, indent=1))
        try:
            self.start("sim", "--no-journal", "--listen", f"127.0.0.1:{sim}")
            self.wait(f"http://127.0.0.1:{sim}/sim/health")
            self.start("serve", "-c", file)
            self.wait(f"http://127.0.0.1:{admin}/readyz")
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self, command, *words):
        with (self.directory / f"{command}.log").open("wb") as log:
            words = [str(word) for word in (self.program, command, *words)]
            self.children.append(
                subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            )

    def wait(self, url):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        end = time.monotonic() + READY_SECONDS
        while time.monotonic() < end and self.children[-1].poll() is None:
            try:
                with opener.open(url, timeout=2):
                    return
            except (OSError, urllib.error.URLError):
                time.sleep(0.05)
        raise RuntimeError(f"{url} does not answer, see {self.directory}")

    def broken(self):
        """What the processes themselves tell: one that ended, a panic in a log."""
        ended = [child.args[1] for child in self.children if child.poll() is not None]
        logs = {log.name: log.read_text(errors="replace") for log in self.directory.glob("*.log")}
        return [f"{name} ended" for name in ended] + [
            f"{name} tells of a panic" for name, log in logs.items() if "panicked" in log
        ]

    def stop(self):
        for child in reversed(self.children):
            child.kill()
            child.wait()
