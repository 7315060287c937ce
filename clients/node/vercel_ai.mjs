// Vercel's AI SDK over its providers for OpenAI (both doors), for servers like it, and for
// Anthropic, by the door named.

import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { Output, embedMany, generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";

import {
  BOTH, FORECAST, Forecast, LOOK, NAMES, ONE, PNG_BASE64, RESULTS, TOOLS, WORDS, checkCalls,
  checkResults,
} from "./asks.mjs";
import {
  BACKEND, GATEWAY, Skipped, TOKENS, all, check, checkGone, checkPart, checkRefusedOnce, equal,
  leave, model as named, play, scenario,
} from "./stage.mjs";

const { DOOR } = process.env;
const baseURL = `${GATEWAY}/v1`;
const apiKey = process.env.OPENAI_API_KEY;
const openai = createOpenAI({ baseURL, apiKey });
const compatible = createOpenAICompatible({
  name: "weighbridge",
  baseURL,
  apiKey,
  includeUsage: true,
  supportsStructuredOutputs: true,
});

const MODELS = {
  chat: openai.chat,
  responses: openai.responses,
  compatible,
  messages: createAnthropic({ baseURL, apiKey }),
};

// The parameters of one question to a lane.
const asked = (more = {}, lane = "") => ({
  model: MODELS[DOOR](named(lane)),
  prompt: WORDS,
  ...more,
});
const ask = (more, lane) => generateText(asked(more, lane));

// Without `execute` the calls are the caller's.
const tools = (execute) =>
  Object.fromEntries(
    TOOLS.map(([name, description, schema], at) => [
      name,
      tool({
        description,
        inputSchema: jsonSchema(schema),
        ...(execute && { execute: async () => RESULTS[at] }),
      }),
    ]),
  );

const called = (calls) =>
  calls.map(({ toolCallId, toolName, input }) => ({
    id: toolCallId,
    name: toolName,
    arguments: input,
  }));

scenario("plain", async () => {
  const answer = await ask();
  equal(answer.finishReason, "stop", "finish reason");
  check(answer.text, "no text");
  equal(answer.usage.outputTokens, TOKENS, "output tokens");
});

scenario("stream", async () => {
  const stream = streamText(asked());
  const pieces = await all(stream.textStream);
  equal(pieces.join(""), (await ask()).text, "streamed text");
  equal((await stream.usage).outputTokens, TOKENS, "output tokens");
  check(pieces.length > TOKENS / 2, `only ${pieces.length} pieces`);
});

scenario("image", async () => {
  const picture = { type: "image", image: PNG_BASE64, mediaType: "image/png" };
  const content = [{ type: "text", text: LOOK }, picture, picture];
  const { text } = await ask({ prompt: [{ role: "user", content }] });
  check(text.startsWith("I see 2 images."), text);
});

scenario("JSON schema", async () => {
  const shape = Output.object({ schema: Forecast });
  const { output } = await ask({ prompt: FORECAST, output: shape });
  check(Forecast.safeParse(output).success, "not the shape");
});

scenario("tools", async () => {
  checkCalls(called((await ask({ prompt: ONE, tools: tools() })).toolCalls), [NAMES[0]]);
});

scenario("parallel tools", async () => {
  checkCalls(called((await ask({ prompt: BOTH, tools: tools() })).toolCalls), NAMES);
});

scenario("parallel tools streamed", async () => {
  const stream = streamText(asked({ prompt: BOTH, tools: tools() }));
  checkCalls(called(await stream.toolCalls), NAMES);
});

scenario("tools called by the SDK", async () => {
  const more = { prompt: BOTH, tools: tools(true), stopWhen: stepCountIs(3) };
  const { text, steps } = await ask(more);
  equal(steps.length, 2, "steps");
  checkResults(text);
});

scenario("embeddings", async () => {
  if (DOOR !== "chat") throw new Skipped("its embeddings have one door, shown under chat");
  if (!["openai", "gemini", "cohere"].includes(BACKEND)) {
    throw new Skipped("this provider has no embeddings");
  }
  const model = openai.embeddingModel(named("embed"));
  const { embeddings } = await embedMany({ model, values: [WORDS, ONE] });
  check(embeddings.length === 2 && embeddings[0].length > 2, "no two vectors");
});

scenario("retry after a rate limit", async () => {
  equal((await ask({}, "limited-once")).usage.outputTokens, TOKENS, "output tokens");
  await checkRefusedOnce();
});

scenario("stream cut in the middle", async () => {
  const errors = [];
  const stream = streamText(asked({ onError: ({ error }) => errors.push(error) }, "cut"));
  let heard = "";
  for await (const piece of stream.textStream) heard += piece;
  check(errors.length > 0, "a cut answer looks complete");
  checkPart(heard, (await ask()).text);
});

scenario("cancellation", async () => {
  const leaving = new AbortController();
  const stream = streamText(asked({ abortSignal: leaving.signal, onError() {} }, "endless"));
  await leave(stream.textStream);
  leaving.abort();
  await checkGone();
});

await play(process.argv.slice(2));
