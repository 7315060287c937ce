"""The results as text: tables for the terminal, and the page `docs/clients.md`.

The page holds nothing that differs between two runs that saw the same.
"""

from kit import version

MARKS = {"ok": "ok", "failed": "FAILED", "skipped": "-"}

HEAD = """# Clients

Unmodified clients in the versions below, each sent through the gateway to simulated providers of
several dialects. `ok` means that the client got what it would have got from its own provider:
answers, streams, tool calls, typed errors. `-` is explained below its table. This page is written
by `clients/run --write`; `make clients` plays everything again and fails where it is no longer so.

| client | version | door | providers' dialects | scenarios |
|---|---|---|---|---|
"""

TAIL = """
## Not here

- LlamaIndex's Anthropic model: it takes only the names of Claude models that it knows.
- JavaScript packages newer than these: they ask for Node 22, and Debian has Node 20.
- A sandbox of Codex's own: the agent runs its command in an empty directory without one.
"""

# What the columns are called for readers; the worlds have shorter names.
DIALECTS = {
    "openai": "openai_chat",
    "anthropic": "anthropic_messages",
    "gemini": "gemini",
    "responses": "openai_responses",
    "bedrock": "bedrock_converse",
    "cohere": "cohere_v2",
}


def grid(client, rows):
    """Scenario -> cells in the order of the client's backends; absent ones are `None`."""
    own = [row for row in rows if row["client"] == client.name]
    cells = {(row["scenario"], row["backend"]): row for row in own}
    backends = [name for name in client.backends if any(row["backend"] == name for row in own)]
    names = dict.fromkeys(row["scenario"] for row in own)
    return backends, {name: [cells.get((name, each)) for each in backends] for name in names}


def mark(cell):
    return MARKS[cell["result"]] if cell else ""


def tables(clients, rows):
    """The lines of one table a client, for the terminal."""
    for client in clients:
        backends, scenarios = grid(client, rows)
        width = max([len(name) for name in scenarios] + [len(client.name)]) + 2
        yield f"{client.name:{width}}" + "".join(f"{name:11}" for name in backends)
        for name, cells in scenarios.items():
            yield (f"{name:{width}}" + "".join(f"{mark(cell):11}" for cell in cells)).rstrip()
        yield ""


def summary(client, rows):
    backends, scenarios = grid(client, rows)
    dialects = ", ".join(DIALECTS[name] for name in backends)
    passed = sum(mark(cell) == "ok" for cells in scenarios.values() for cell in cells)
    package = f"`{client.package}` {version(client)}"
    return f"| {client.title} | {package} | {client.path} | {dialects} | {passed} |"


def section(client, rows):
    """One client's heading, table and reasons."""
    backends, scenarios = grid(client, rows)
    columns = [DIALECTS[name] for name in backends]
    yield f"\n## {client.title}\n"
    yield "| scenario | " + " | ".join(columns) + " |"
    yield "|---" * (len(columns) + 1) + "|"
    reasons = {}
    for name, cells in scenarios.items():
        yield f"| {name} | " + " | ".join(mark(cell) for cell in cells) + " |"
        for cell in cells:
            if cell and cell["result"] == "skipped":
                reasons.setdefault(f"{name}: {cell['reason']}")
    if reasons:
        yield ""
    for reason in reasons:
        yield f"- {reason}."


def page(clients, rows):
    """The page's text."""
    lines = [summary(client, rows) for client in clients]
    for client in clients:
        lines += section(client, rows)
    return HEAD + "\n".join(lines) + "\n" + TAIL
