// google-genai for JavaScript: words, tools, shapes, counts, failures.

import { ApiError, GoogleGenAI } from "@google/genai";
import { z } from "zod";

import {
  BOTH, FORECAST, Forecast, LOOK, NAMES, ONE, PNG_BASE64, RESULTS, TOOLS, WORDS, checkCalls,
  checkResults,
} from "./asks.mjs";
import {
  GATEWAY, TOKENS, all, check, checkGone, checkPart, checkRefusedOnce, equal, leave, model, play,
  scenario, thrown,
} from "./stage.mjs";

const apiKey = process.env.GEMINI_API_KEY;
const client = new GoogleGenAI({ apiKey, httpOptions: { baseUrl: GATEWAY } });
const retryOptions = { attempts: 3 };
const patient = new GoogleGenAI({ apiKey, httpOptions: { baseUrl: GATEWAY, retryOptions } });

const tools = [
  {
    functionDeclarations: TOOLS.map(([name, description, parametersJsonSchema]) => ({
      name,
      description,
      parametersJsonSchema,
    })),
  },
];

const asked = (contents = WORDS, config = {}, lane = "") => ({
  model: model(lane),
  contents,
  config,
});
const ask = (...words) => client.models.generateContent(asked(...words));
const streamed = (...words) => client.models.generateContentStream(asked(...words));

// Gemini may leave ids out; then there is nothing to compare.
const called = (calls) =>
  (calls ?? []).map(({ id, name, args }, at) => ({ id: id ?? at + 1, name, arguments: args }));

const text = (chunks) => chunks.map((chunk) => chunk.text ?? "").join("");

scenario("plain", async () => {
  const answer = await ask();
  equal(answer.candidates.map((each) => each.finishReason), ["STOP"], "finish reasons");
  check(answer.text, "no text");
  equal(answer.usageMetadata.candidatesTokenCount, TOKENS, "output tokens");
});

scenario("stream", async () => {
  const chunks = await all(streamed());
  equal(text(chunks), (await ask()).text, "streamed text");
  check(chunks.length > TOKENS / 2, `only ${chunks.length} chunks`);
});

scenario("image", async () => {
  const picture = { inlineData: { mimeType: "image/png", data: PNG_BASE64 } };
  const said = (await ask([LOOK, picture, picture])).text;
  check(said.startsWith("I see 2 images."), said);
});

scenario("JSON schema", async () => {
  const shape = z.toJSONSchema(Forecast);
  const config = { responseMimeType: "application/json", responseJsonSchema: shape };
  Forecast.parse(JSON.parse((await ask(FORECAST, config)).text));
});

scenario("tools", async () => {
  checkCalls(called((await ask(ONE, { tools })).functionCalls), [NAMES[0]]);
});

scenario("parallel tools", async () => {
  checkCalls(called((await ask(BOTH, { tools })).functionCalls), NAMES);
});

scenario("parallel tools streamed", async () => {
  const chunks = await all(streamed(BOTH, { tools }));
  checkCalls(called(chunks.flatMap((chunk) => chunk.functionCalls ?? [])), NAMES);
});

scenario("tool results", async () => {
  const first = await ask(BOTH, { tools });
  const parts = first.functionCalls.map(({ id, name }, at) => ({
    functionResponse: { id, name, response: { result: RESULTS[at] } },
  }));
  const turns = [
    { role: "user", parts: [{ text: BOTH }] },
    first.candidates[0].content,
    { role: "user", parts },
  ];
  checkResults((await ask(turns, { tools })).text);
});

scenario("token count", async () => {
  const counted = await client.models.countTokens({ model: model(), contents: WORDS });
  check(counted.totalTokens > 0, "no tokens");
});

scenario("retry after a rate limit", async () => {
  const answer = await patient.models.generateContent(asked(WORDS, {}, "limited-once"));
  equal(answer.usageMetadata.candidatesTokenCount, TOKENS, "output tokens");
  await checkRefusedOnce();
});

scenario("error 429", async () => {
  const error = await thrown(ApiError, () => ask(WORDS, {}, "limited"));
  equal(error.status, 429, "status");
});

scenario("stream cut in the middle", async () => {
  let heard = "";
  const listen = async () => {
    for await (const chunk of await streamed(WORDS, {}, "cut")) {
      heard += chunk.text ?? "";
      check(!chunk.candidates?.[0]?.finishReason, "a cut answer looks complete");
    }
  };
  await thrown(ApiError, listen);
  checkPart(heard, (await ask()).text);
});

scenario("cancellation", async () => {
  const leaving = new AbortController();
  await leave(streamed(WORDS, { abortSignal: leaving.signal }, "endless"));
  leaving.abort();
  await checkGone();
});

await play(process.argv.slice(2));
