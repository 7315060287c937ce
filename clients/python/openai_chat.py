"""openai-python against the gateway: plays every scenario, or those named by words."""

import sys

import answers  # noqa: F401  Importing registers the scenarios.
import tools  # noqa: F401
import failures  # noqa: F401
from stage import play

play(sys.argv[1:])
