// One question through openai-node's chat completions.
//
// The client is the SDK as an application would make it: base URL and key come from the environment
// variables that the SDK itself reads.

import OpenAI from "openai";

import { WORDS } from "./asks.mjs";
import { model } from "./stage.mjs";

export const QUESTION = { role: "user", content: WORDS };

export const client = new OpenAI();

// The SDK tries again by itself twice; where one answer is looked at, it must not.
export const once = { maxRetries: 0 };

// The parameters of one question to a lane.
export const question = (more = {}, lane = "") => ({
  model: model(lane),
  messages: [QUESTION],
  ...more,
});

export const ask = (more, lane, options) =>
  client.chat.completions.create(question(more, lane), options);

// The text of a stream's chunks and its finish reasons.
export function words(chunks) {
  const choices = chunks.flatMap((chunk) => chunk.choices);
  return {
    text: choices.map((choice) => choice.delta.content ?? "").join(""),
    finishes: choices.map((choice) => choice.finish_reason).filter(Boolean),
  };
}
