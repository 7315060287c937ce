"""Instructor over openai-python: a shape as the answer, in each of its ways to ask for one."""

import sys
from collections.abc import Iterable

import instructor
from openai import OpenAI

from asks import FORECAST, LOOK, PNG_URL, Day, Forecast
from stage import check, check_refused_once, equal, model, play, scenario

ASKED = [{"role": "user", "content": FORECAST}]

WAYS = {
    "JSON by a tool": instructor.Mode.TOOLS,
    "JSON schema": instructor.Mode.JSON_SCHEMA,
}


def shaped(way=instructor.Mode.TOOLS):
    return instructor.from_openai(OpenAI(), mode=way)


def by(way):
    def play():
        answer = shaped(way).create(model=model(), messages=ASKED, response_model=Forecast)
        check(isinstance(answer, Forecast), "another shape")

    return play


def streamed_by(way):
    def play():
        asked = {"model": model(), "messages": ASKED, "response_model": Forecast}
        parts = list(shaped(way).create_partial(**asked))
        whole = shaped(way).create(**asked)
        equal(parts[-1].model_dump(), whole.model_dump(), "last part")
        check(len(parts) > 3, f"only {len(parts)} parts")

    return play


for name, way in WAYS.items():
    scenario(name)(by(way))
    scenario(f"{name} streamed")(streamed_by(way))


@scenario("several shapes")
def several():
    days = shaped().create(model=model(), messages=ASKED, response_model=Iterable[Day])
    check(all(isinstance(day, Day) for day in days), "other shapes")


@scenario("image")
def image():
    parts = [LOOK, instructor.Image.from_raw_base64(PNG_URL.split(",")[1])]
    messages = [{"role": "user", "content": parts}]
    answer = shaped().create(model=model(), messages=messages, response_model=Forecast)
    check(isinstance(answer, Forecast), "another shape")


@scenario("retry after a rate limit")
def retry_after():
    asked = {"model": model("limited-once"), "messages": ASKED, "response_model": Forecast}
    check(isinstance(shaped().create(**asked), Forecast), "another shape")
    check_refused_once()


play(sys.argv[1:])
