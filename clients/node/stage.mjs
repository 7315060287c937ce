// What the scenarios of every client share: names of models, the simulator's journal, the play.
//
// A scenario is a function with a name; it fails by throwing. One line of JSON a scenario goes to
// standard output, stacks to standard error. Nothing here knows a client.

import assert from "node:assert/strict";

export const BACKEND = process.env.BACKEND;
export const GATEWAY = process.env.GATEWAY;
const SIM = process.env.SIM;

// Tokens of a healthy answer in these worlds.
export const TOKENS = 20;

// At once, on a busy machine. The endless answer would go on for minutes.
export const SOON = 3;

// How long a caller waits who then gives up, in milliseconds: the answer has begun by then.
export const PATIENCE = 1000;

// Thrown by a scenario that says nothing about this backend or client; the text says why.
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

// The error of one of these kinds that `call` throws.
export async function thrown(kinds, call) {
  const names = [kinds].flat().map((kind) => kind.name);
  let result;
  try {
    result = await call();
  } catch (error) {
    if (!names.includes(error.constructor.name)) throw error;
    return error;
  }
  throw new Error(`no error, but ${JSON.stringify(result).slice(0, 300)}`);
}

// What an iteration gives.
export async function all(stream) {
  const chunks = [];
  for await (const chunk of await stream) chunks.push(chunk);
  return chunks;
}

// Listens to a few items of a stream and goes away, which breaks the iteration off.
export async function leave(stream, count = 5) {
  let heard = 0;
  for await (const _ of await stream) if ((heard += 1) === count) break;
  equal(heard, count, "items before leaving");
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

// The provider of the lane that is limited once was asked exactly twice.
export async function checkRefusedOnce() {
  const sent = (await journal("-once")).map((entry) => entry.status);
  equal(sent, [429, 200], "what the provider sent");
}

// The provider of the endless answer learned at once that its client left.
export async function checkGone() {
  check(await goneWithin("-f40", SOON), "the provider was not told at once");
}

// A part of an answer, as far as it came.
export function checkPart(part, whole) {
  check(part && whole !== part && whole.startsWith(part), `received: ${part}`);
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
        tell(name, "skipped", error.message);
        continue;
      }
      console.error(error);
      tell(name, "failed", `${error?.constructor?.name}: ${error?.message}`);
    }
  }
  tell("END", "ok");
}
