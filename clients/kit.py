"""The clients: what each is, where it comes from, how its script is started.

A row of `CLIENTS` is one script by one door on some backends. SDKs speak to every backend whose
answers differ for them; frameworks, which only repackage an SDK, to their own dialect and a foreign
one or two. Installations are done once for the pins in the tree and kept.
"""

import dataclasses
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
KEPT = TARGET / "clients"

# An installation, or a build from nothing.
PREPARE_SECONDS = 1800

ALL = "openai anthropic gemini responses bedrock cohere".split()


@dataclasses.dataclass
class Client:
    """One script by one door."""

    name: str
    title: str
    # Where it is installed: a row of `PLACES`.
    place: str
    script: str
    # The package whose version is told.
    package: str
    path: str
    backends: list
    # For scripts that know several doors.
    door: str = ""

    def environment(self):
        return {"DOOR": self.door, "AGENTS": str(KEPT / "agents")}


CHAT, RESPONSES = "`/v1/chat/completions`", "`/v1/responses`"
MESSAGES, GENERATE = "`/v1/messages`", "`/v1beta/models/*`"
FEW = ["openai", "anthropic"]
OTHERS = ["responses", "anthropic", "gemini"]

# fmt: off
CLIENTS = [
    Client("python", "OpenAI for Python", "python", "openai_chat.py", "openai", CHAT, ALL),
    Client("node", "OpenAI for JavaScript", "node", "openai_chat.mjs", "openai", CHAT,
           ["openai", "anthropic", "gemini"]),
    Client("python-responses", "OpenAI for Python, Responses", "python", "openai_responses.py",
           "openai", RESPONSES, ALL),
    Client("node-responses", "OpenAI for JavaScript, Responses", "node", "openai_responses.mjs",
           "openai", RESPONSES, OTHERS),
    Client("python-plain", "OpenAI for Python, embeddings and the like", "python",
           "openai_plain.py", "openai", "`/v1/embeddings`, `/v1/moderations`, `/v1/completions`",
           ["openai", "anthropic", "gemini", "cohere"]),
    Client("anthropic-python", "Anthropic for Python", "python", "anthropic_messages.py",
           "anthropic", MESSAGES, ALL),
    Client("anthropic-node", "Anthropic for TypeScript", "node", "anthropic_messages.mjs",
           "@anthropic-ai/sdk", MESSAGES, FEW),
    Client("genai-python", "Google Gen AI for Python", "python", "google_genai.py",
           "google-genai", GENERATE, ALL),
    Client("genai-node", "Google Gen AI for JavaScript", "node", "google_genai.mjs",
           "@google/genai", GENERATE, ["gemini", "openai"]),
    Client("cohere-python", "Cohere for Python", "python", "cohere_client.py", "cohere",
           "`/v2/chat`, `/v2/embed`, `/v1/rerank`, `/v2/rerank`", ["cohere", "openai"]),
    Client("langchain", "LangChain, ChatOpenAI", "python", "langchain_models.py",
           "langchain-openai", CHAT, FEW, "chat"),
    Client("langchain-responses", "LangChain, ChatOpenAI with Responses", "python",
           "langchain_models.py", "langchain-openai", RESPONSES, ["gemini"], "responses"),
    Client("langchain-anthropic", "LangChain, ChatAnthropic", "python", "langchain_models.py",
           "langchain-anthropic", MESSAGES, ["openai"], "messages"),
    Client("llama-index", "LlamaIndex, OpenAILike", "older", "llama_index_models.py",
           "llama-index-llms-openai-like", CHAT, FEW),
    Client("pydantic-ai", "Pydantic AI, OpenAI chat", "python", "pydantic_ai_agents.py",
           "pydantic-ai-slim", CHAT, ["anthropic"], "chat"),
    Client("pydantic-ai-responses", "Pydantic AI, OpenAI Responses", "python",
           "pydantic_ai_agents.py", "pydantic-ai-slim", RESPONSES, ["openai"], "responses"),
    Client("pydantic-ai-anthropic", "Pydantic AI, Anthropic", "python", "pydantic_ai_agents.py",
           "pydantic-ai-slim", MESSAGES, ["gemini"], "messages"),
    Client("instructor", "Instructor", "older", "instructor_shapes.py", "instructor", CHAT, FEW),
    Client("vercel", "Vercel AI SDK, OpenAI chat", "node", "vercel_ai.mjs", "@ai-sdk/openai", CHAT,
           FEW, "chat"),
    Client("vercel-responses", "Vercel AI SDK, OpenAI Responses", "node", "vercel_ai.mjs",
           "@ai-sdk/openai", RESPONSES, ["responses", "anthropic"], "responses"),
    Client("vercel-compatible", "Vercel AI SDK, OpenAI compatible", "node", "vercel_ai.mjs",
           "@ai-sdk/openai-compatible", CHAT, ["gemini"], "compatible"),
    Client("vercel-anthropic", "Vercel AI SDK, Anthropic", "node", "vercel_ai.mjs",
           "@ai-sdk/anthropic", MESSAGES, ["openai"], "messages"),
    Client("llm", "the command `llm`", "python", "llm_command.py", "llm", CHAT, ["anthropic"]),
    Client("claude-code", "Claude Code", "agents", "claude_code.py", "@anthropic-ai/claude-code",
           MESSAGES, ["anthropic", "openai"]),
    Client("codex", "Codex", "agents", "codex_exec.py", "@openai/codex", RESPONSES,
           ["responses", "anthropic"]),
]
# fmt: on


def stamped(directory, sources, install):
    """Runs `install` unless it was done for exactly these sources, by this Python."""
    parts = [sys.version.encode(), *(source.read_bytes() for source in sources)]
    text = hashlib.sha256(b"".join(parts)).hexdigest()
    stamp = directory / ".installed"
    if stamp.is_file() and stamp.read_text() == text:
        return
    directory.mkdir(parents=True, exist_ok=True)
    install()
    stamp.write_text(text)


def must(*command, **options):
    subprocess.run([str(word) for word in command], check=True, timeout=PREPARE_SECONDS, **options)


def environment_of(name):
    """A Python environment from `python/<name>.txt`; its interpreter."""
    venv, pins = KEPT / f"venv-{name}", HERE / "python" / f"{name}.txt"

    def install():
        must(sys.executable, "-m", "venv", "--clear", venv)
        pip = [venv / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check"]
        must(*pip, "--no-deps", "-r", pins)

    stamped(venv, [pins], install)
    return venv / "bin" / "python"


def modules_of(name):
    """The packages of `<name>/package-lock.json`; the directory that holds them."""
    prefix = KEPT / name
    pins = [HERE / name / "package.json", HERE / name / "package-lock.json"]

    def install():
        for pin in pins:
            shutil.copy(pin, prefix)
        must("npm", "ci", "--silent", "--no-audit", "--no-fund", cwd=prefix)

    stamped(prefix, pins, install)
    return prefix


def newest():
    python = environment_of("requirements")
    return lambda script: [python, HERE / "python" / script]


def older():
    python = environment_of("older")
    return lambda script: [python, HERE / "python" / script]


def node():
    """Modules are resolved from where a script lies, so the scripts are put beside the packages."""
    prefix = modules_of("node")
    for script in (HERE / "node").glob("*.mjs"):
        shutil.copy(script, prefix)
    return lambda script: ["node", prefix / script]


def agents():
    """Agents are commands; their scripts need Python alone."""
    modules_of("agents")
    return lambda script: [sys.executable, HERE / "python" / script]


PLACES = {"python": newest, "older": older, "node": node, "agents": agents}


def commands(clients):
    """The command of each client's script, once what they need is installed."""
    ready = {place: PLACES[place]() for place in dict.fromkeys(c.place for c in clients)}
    return [ready[client.place](client.script) for client in clients]


def version(client):
    """The pinned version of a client's package."""
    lists = {"python": "requirements.txt", "older": "older.txt"}
    if client.place in lists:
        pins = (HERE / "python" / lists[client.place]).read_text().splitlines()
        return dict(pin.split("==") for pin in pins if "==" in pin)[client.package]
    manifest = json.loads((HERE / client.place / "package.json").read_text())
    return manifest["dependencies"][client.package]
