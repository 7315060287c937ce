"""A coding agent's turn in an empty home: the model has it look into a file, then says it is done.

What the model does is the simulator's script (`world.py`); the agent finds its own tool, runs it on
this machine and tells the model what came out.
"""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile

from stage import check, equal, journal

BIN = pathlib.Path(os.environ["AGENTS"]) / "node_modules" / ".bin"
PROMPT = "How much was weighed? It stands in weighed.txt."
WEIGHED = "42 tonnes and a bit"
DONE = "The file is weighed."
SECONDS = 60


def turn(command, lane="agent", **environment):
    """The events the agent printed, one JSON value a line, and its exit status."""
    home = pathlib.Path(tempfile.mkdtemp(prefix="agent-"))
    place = home / "work"
    place.mkdir()
    (place / "weighed.txt").write_text(WEIGHED)
    own = {**os.environ, "HOME": str(home), "TMPDIR": str(home), **environment}
    try:
        done = subprocess.run(
            [BIN / command[0], *command[1:]],
            cwd=place,
            env=own,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
    finally:
        shutil.rmtree(home, ignore_errors=True)
    events = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    check(events, f"no events, but {done.stdout[-300:]} {done.stderr[-600:]}")
    return events, done.returncode


def check_journal(lane="-agent"):
    """Both rounds reached the provider and were answered."""
    equal([entry["status"] for entry in journal(lane)], [200, 200], "what the provider sent")
