"""What is asked, whatever the client: words, a picture, tools, a shape. And how calls are judged.

What the simulator says to a question depends on the question alone, so it can be asked twice. It
calls two tools when the question says "both", one otherwise.
"""

import base64
import json
from typing import Literal

from pydantic import BaseModel

from stage import check, equal

WORDS = "What is a weighbridge?"
LOOK = "What is on these pictures?"
FORECAST = "Give me the forecast."
ONE = "What is the weather in Paris?"
BOTH = "Weather and time in Paris, both at once?"

# One pixel.
PNG_BASE64 = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwAD"
    "hgGAWjR9awAAAABJRU5ErkJggg=="
)
PNG = base64.b64decode(PNG_BASE64)
PNG_URL = f"data:image/png;base64,{PNG_BASE64}"

RESULTS = ["18 degrees and sunny", "half past noon"]


class Day(BaseModel):
    name: str
    degrees: int


class Forecast(BaseModel):
    city: str
    unit: Literal["celsius", "fahrenheit"]
    days: list[Day]


CITY = {"type": "string", "description": "The city's name"}
UNIT = {"type": "string", "enum": ["celsius", "fahrenheit"]}


def shape(**properties):
    return {"type": "object", "properties": properties, "required": list(properties)}


# Name, description, JSON Schema.
TOOLS = [
    ("get_weather", "The weather of a city", shape(city=CITY, unit=UNIT)),
    ("get_time", "The time of day in a city", shape(city=CITY)),
]

NAMES = [name for name, _, _ in TOOLS]
FIELDS = {name: set(schema["properties"]) for name, _, schema in TOOLS}


def check_calls(calls, names):
    """`calls` are triples of id, name and arguments, which are text or already an object."""
    equal([name for _, name, _ in calls], names, "called tools")
    equal(len({id for id, _, _ in calls if id}), len(names), "ids that differ")
    for _, name, arguments in calls:
        known = json.loads(arguments) if isinstance(arguments, str) else arguments
        equal(set(known), FIELDS[name], f"arguments of {name}")


def check_results(text):
    """The answer after the tools answered."""
    check(text.startswith("The tool answered:"), text)
    check(all(result in text for result in RESULTS), f"a result was lost: {text}")
