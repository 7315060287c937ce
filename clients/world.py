"""A simulator and a gateway that leads to it, for one client on one backend.

The gateway's configuration is made from `LANES`: each row becomes a provider of its own and a group
`on-<backend>-<lane>` of that one provider, so that a failing lane's cooldown and breaker do not
reach the others. What a lane does wrong is named in the model it asks the simulator for. Scripts
know groups, not faults. Nothing here checks anything.
"""

import itertools
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request

# What a provider's section says beside its key and its models; the base URL is a path of the
# simulator's.
BACKENDS = {
    "openai": {"base": "openai", "base_url": "/v1"},
    "anthropic": {"base": "anthropic", "base_url": "/v1"},
    "gemini": {"base": "gemini", "base_url": "/v1beta"},
    "responses": {"dialect": "openai_responses", "base_url": "/v1"},
    "bedrock": {"dialect": "bedrock_converse", "base_url": "", "auth": "bearer"},
    "cohere": {"dialect": "cohere_v2", "base_url": "/v2", "auth": "bearer"},
}

# Lane -> model, of calls that are no conversations: the backend's own provider of the catalog.
PLAIN = {
    "openai": {"embed": "text-embedding-3-small", "moderate": "omni-moderation-latest"},
    "gemini": {"embed": "gemini-embedding-001"},
    "cohere": {"embed": "embed-v4.0", "rerank": "rerank-v3.5"},
}

KEY = "wb-clients-0123456789"
READY_SECONDS = 20

# Lane -> the model asked of the simulator. The lane "" is the healthy one: 20 tokens an answer.
LANES = {
    "": "sim-20",
    "long": "sim-60",
    "think": "sim-20-think",
    "agent": "sim-20-agent",
    "wide": "sim-20-fault-f27",
    "limited": "sim-20-fault-f13",
    "limited-once": "sim-20-once",
    "quota": "sim-20-fault-f16",
    "bad-key": "sim-20-fault-f17",
    "bad-gateway": "sim-20-fault-f18-502",
    "failing": "sim-20-fault-f18",
    "storm": "sim-20-storm-fault-f18-502",
    "overloaded": "sim-20-fault-f19",
    "silent": "sim-20-silent-fault-f08",
    "hanging": "sim-20-hanging-fault-f08",
    "empty": "sim-20-fault-f38",
    "too-long": "sim-20-fault-f49",
    "filtered": "sim-20-fault-f50",
    "cut": "sim-20-fault-f21:10",
    "breaking": "sim-20-fault-f25-after",
    "endless": "sim-20-fault-f40:50ms",
}

# Lanes that refuse are asked twice, unstreamed and streamed; each time by a provider that was not
# set aside by the other.
TWINS = "-streamed"
REFUSING = (
    "limited quota bad-key bad-gateway failing overloaded silent empty too-long filtered".split()
)

# Only this lane's first-token clock is short; `hanging` must outlast an impatient client.
TIMEOUTS = {"silent": {"first_token": "300ms"}}

# What the model of an agent's turn does: it looks into a file with whatever tool runs commands,
# then it is done.
COMMAND = "cat weighed.txt"
RUN = {
    "Bash": {"command": COMMAND, "description": "Look"},
    "exec_command": {"cmd": COMMAND},
    "shell_command": {"command": COMMAND},
    "shell": {"command": ["bash", "-lc", COMMAND]},
}
ASK = "I look into the file."
DONE = "The file is weighed."
CALLS = [{"tool": tool, "arguments": arguments} for tool, arguments in RUN.items()]

SCRIPT = {
    "rules": [
        # The first request of this lane is refused for a second.
        {"model": "-once", "count": 1, "fault": "f13:1"},
        {"model": "-agent", "lines": [{"say": ASK, "calls": CALLS}, {"say": DONE}]},
    ]
}


def lanes():
    """Every lane with its model and its row's name."""
    for lane, model in LANES.items():
        yield lane, model, lane
        if lane in REFUSING:
            yield lane + TWINS, model, lane


def dashed(*words):
    return "-".join(word for word in words if word)


def configuration(backend, sim, ports, directory):
    """The configuration as a value; JSON is YAML, so it is written as it is."""
    price = {"input": "$1", "output": "$2", "context": 200000, "max_output": 4096}
    section, providers, models = BACKENDS[backend], {}, {}
    for lane, model, row in lanes():
        provider, group = dashed(backend, lane), dashed("on", backend, lane)
        providers[provider] = {
            **section,
            "base_url": sim + section["base_url"],
            "api_key": f"sk-sim-{provider}",
            "models": {model: price},
        }
        models[group] = {"deployments": [f"{provider}/{model}"]}
        if row in TIMEOUTS:
            models[group]["timeouts"] = TIMEOUTS[row]
    if backend in PLAIN:
        plain = {"base": backend, "base_url": sim + section["base_url"], "api_key": "sk-sim-plain"}
        providers[f"{backend}-plain"] = plain
    for lane, model in PLAIN.get(backend, {}).items():
        models[f"on-{backend}-{lane}"] = {"deployments": [f"{backend}-plain/{model}"]}
    broken = f"{backend}-bad-gateway/{LANES['bad-gateway']}"
    models[f"on-{backend}-falling-back"] = {"deployments": [broken, f"{backend}/{LANES['']}"]}
    return {
        "server": {
            "listen": f"127.0.0.1:{ports[0]}",
            "admin_listen": f"127.0.0.1:{ports[1]}",
        },
        "data_dir": str(directory / "data"),
        "auth": {"keys": [{"name": "clients", "key": KEY}]},
        # What is tested here are answers; a breaker would hide the later ones.
        "breaker": {"failures": 1000},
        "providers": providers,
        "models": models,
    }


# Below the ports that outgoing connections get: those would be taken between finding and listening.
# Two runs at once begin at different ones.
LOWEST, MANY = 20000, 12000
PORTS = (LOWEST + (os.getpid() * 37 + turn) % MANY for turn in itertools.count())


def free_ports(count):
    """Ports nobody listens on, never the same for two worlds of one run."""
    ports = []
    while len(ports) < count:
        port = next(PORTS)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        ports.append(port)
    return ports


class World:
    """Started by `with`, and stopped with it, whatever happens."""

    children = []

    def __init__(self, program, backend, directory):
        self.program, self.backend, self.directory = program, backend, directory
        self.own = []

    def __enter__(self):
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)
        data, admin, sim = free_ports(3)
        self.sim, self.gateway = f"http://127.0.0.1:{sim}", f"http://127.0.0.1:{data}"
        config = configuration(self.backend, self.sim, (data, admin), self.directory)
        file = self.directory / "weighbridge.yaml"
        file.write_text(json.dumps(config, indent=1))
        try:
            self.start([self.program, "sim", "--listen", f"127.0.0.1:{sim}"], {}, "sim.log")
            self.wait(f"{self.sim}/sim/health", "sim.log")
            self.wait(f"{self.sim}/sim/script", "sim.log", json.dumps(SCRIPT).encode())
            self.start([self.program, "serve", "-c", file], {}, "gateway.log")
            self.wait(f"http://127.0.0.1:{admin}/readyz", "gateway.log")
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def environment(self):
        """What a script is told: the variables the SDKs themselves read, and the judge."""
        return {
            "OPENAI_BASE_URL": f"{self.gateway}/v1",
            "OPENAI_API_KEY": KEY,
            "ANTHROPIC_BASE_URL": self.gateway,
            "ANTHROPIC_API_KEY": KEY,
            "GOOGLE_GEMINI_BASE_URL": self.gateway,
            "GEMINI_API_KEY": KEY,
            "CO_API_URL": self.gateway,
            "CO_API_KEY": KEY,
            "GATEWAY": self.gateway,
            "BACKEND": self.backend,
            "SIM": self.sim,
        }

    def start(self, command, environment, log, piped=False):
        """A child with its own log; no proxy settings, since everything is on the loopback."""
        inherited = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        with (self.directory / log).open("wb") as sink:
            child = subprocess.Popen(
                [str(word) for word in command],
                env={**inherited, **environment},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if piped else sink,
                stderr=sink,
                text=piped or None,
            )
        self.own.append(child)
        World.children.append(child)
        return child

    def wait(self, url, log, body=None):
        """Asks until the answer is 200, at most `READY_SECONDS`."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        end = time.monotonic() + READY_SECONDS
        while time.monotonic() < end and self.own[-1].poll() is None:
            try:
                with opener.open(urllib.request.Request(url, body), timeout=2):
                    return
            except (OSError, urllib.error.URLError):
                time.sleep(0.05)
        said = (self.directory / log).read_text(errors="replace").strip()
        raise RuntimeError(f"{url} does not answer: {said[-2000:]}")

    def stop(self):
        for child in reversed(self.own):
            child.kill()
            child.wait()

    @staticmethod
    def stop_all(number, _):
        """For signals: nothing is left running."""
        for child in World.children:
            child.kill()
        os._exit(128 + number)
