// What the scenarios share: the client, the names of models, the simulator's journal, the play.
//
// The client is the SDK as an application would make it: base URL and key come from the environment
// variables that the SDK itself reads. A scenario is a function with a name; it fails by throwing.
// One line of JSON a scenario goes to standard output, stacks to standard error.

import assert from "node:assert/strict";
import OpenAI from "openai";

export const BACKEND = process.env.BACKEND;
const SIM = process.env.SIM;

// What the simulator says to a question depends on the question alone, so it can be asked twice.
export const QUESTION = { role: "user", content: "What is a weighbridge?" };

// Tokens of a healthy answer in these worlds.
export const TOKENS = 20;

export const client = new OpenAI();

// The SDK tries again by itself twice; where one answer is looked at, it must not.
export const once = { maxRetries: 0 };

// Thrown by a scenario that says nothing about this backend.
export class Skipped extends Error {}

const scenarios = [];

export function scenario(name, play) {
  scenarios.push({ name, play });
}

export const check = (truth, words) => assert.ok(truth, words);

export function equal(found, wanted, what) {
  const [one, other] = [JSON.stringify(found), JSON.stringify(wanted)];
  assert.ok(one === other, `${what}: ${one} instead of ${other}`);
}

export const model = (lane = "") => (lane ? `on-${BACKEND}-${lane}` : `on-${BACKEND}`);

// The parameters of one question to a lane.
export const question = (more = {}, lane = "") => ({
  model: model(lane),
  messages: [QUESTION],
  ...more,
});

export const ask = (more, lane, options) =>
  client.chat.completions.create(question(more, lane), options);

// A stream's chunks.
export async function all(stream) {
  const chunks = [];
  for await (const chunk of await stream) chunks.push(chunk);
  return chunks;
}

// The text of a stream's chunks and its finish reasons.
export function words(chunks) {
  const choices = chunks.flatMap((chunk) => chunk.choices);
  return {
    text: choices.map((choice) => choice.delta.content ?? "").join(""),
    finishes: choices.map((choice) => choice.finish_reason).filter(Boolean),
  };
}

// The simulator's entries of the lane's provider: what really reached it.
export async function journal(lane) {
  const page = await fetch(`${SIM}/sim/journal`);
  const { entries } = await page.json();
  return entries.filter((entry) => entry.model.includes(lane));
}

// How many of the lane's clients the simulator saw leave.
export const gone = async (lane) =>
  (await journal(lane)).filter((entry) => entry.ending === "client_gone").length;

// Whether the simulator sees so many of its clients leave in time.
export async function goneWithin(lane, seconds, count = 1) {
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end) {
    if ((await gone(lane)) >= count) return true;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return false;
}

function tell(scenario, result, reason = "") {
  console.log(JSON.stringify({ scenario, result, reason: reason.slice(0, 400) }));
}

// Plays every scenario, or those whose name contains one of `wanted`.
export async function play(wanted) {
  for (const { name, play } of scenarios) {
    if (wanted.length && !wanted.some((word) => name.includes(word))) continue;
    try {
      await play();
      tell(name, "ok");
    } catch (error) {
      if (error instanceof Skipped) {
        tell(name, "skipped");
        continue;
      }
      console.error(error);
      tell(name, "failed", `${error?.constructor?.name}: ${error?.message}`);
    }
  }
  tell("END", "ok");
}
