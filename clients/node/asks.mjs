// What is asked, whatever the client: words, a picture, tools, a shape. And how calls are judged.
//
// What the simulator says to a question depends on the question alone, so it can be asked twice. It
// calls two tools when the question says "both", one otherwise.

import { z } from "zod";

import { check, equal } from "./stage.mjs";

export const WORDS = "What is a weighbridge?";
export const LOOK = "What is on these pictures?";
export const FORECAST = "Give me the forecast.";
export const ONE = "What is the weather in Paris?";
export const BOTH = "Weather and time in Paris, both at once?";

// One pixel.
export const PNG_BASE64 =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwAD" +
  "hgGAWjR9awAAAABJRU5ErkJggg==";
export const PNG_URL = `data:image/png;base64,${PNG_BASE64}`;

export const RESULTS = ["18 degrees and sunny", "half past noon"];

export const Forecast = z.object({
  city: z.string(),
  unit: z.enum(["celsius", "fahrenheit"]),
  days: z.array(z.object({ name: z.string(), degrees: z.int() })),
});

const CITY = { type: "string", description: "The city's name" };
const UNIT = { type: "string", enum: ["celsius", "fahrenheit"] };

const shape = (properties) => ({
  type: "object",
  properties,
  required: Object.keys(properties),
});

// Name, description, JSON Schema.
export const TOOLS = [
  ["get_weather", "The weather of a city", shape({ city: CITY, unit: UNIT })],
  ["get_time", "The time of day in a city", shape({ city: CITY })],
];

export const NAMES = TOOLS.map(([name]) => name);
const FIELDS = { get_weather: ["city", "unit"], get_time: ["city"] };

// `calls` have id, name and arguments, which are text or already an object.
export function checkCalls(calls, names) {
  equal(calls.map((call) => call.name), names, "called tools");
  const ids = calls.map((call) => call.id).filter(Boolean);
  equal(new Set(ids).size, names.length, "ids that differ");
  for (const { name, arguments: given } of calls) {
    const known = typeof given === "string" ? JSON.parse(given) : given;
    equal(Object.keys(known).sort(), FIELDS[name], `arguments of ${name}`);
  }
}

// The answer after the tools answered.
export function checkResults(text) {
  check(text.startsWith("The tool answered:"), text);
  check(RESULTS.every((result) => text.includes(result)), `a result was lost: ${text}`);
}
