// What fails, fails as the SDK's users expect: exception, status, code, retries, cancellation.

import OpenAI from "openai";

import { ask, client, once, question } from "./chat.mjs";
import {
  PATIENCE, SOON, TOKENS, all, check, equal, gone, goneWithin, journal, scenario, thrown,
} from "./stage.mjs";

// Lane, exception, status, code.
const REFUSALS = [
  ["limited", OpenAI.RateLimitError, 429, "rate_limit_exceeded"],
  ["quota", OpenAI.InternalServerError, 502, "upstream_quota_exhausted"],
  ["bad-key", OpenAI.InternalServerError, 502, "upstream_auth_failed"],
  ["bad-gateway", OpenAI.InternalServerError, 502, "upstream_5xx"],
  ["failing", OpenAI.InternalServerError, 502, "upstream_5xx"],
  ["empty", OpenAI.InternalServerError, 502, "upstream_empty_response"],
  ["overloaded", OpenAI.InternalServerError, 503, "upstream_overloaded"],
  ["silent", OpenAI.InternalServerError, 504, "first_token_timeout"],
  ["too-long", OpenAI.BadRequestError, 400, "context_length_exceeded"],
  ["filtered", OpenAI.BadRequestError, 400, "content_policy_violation"],
];

function checkError(error, status, code) {
  equal([error.status, error.code], [status, code], "status and code");
  check(error.message && error.type, "no message or no type");
  check(error.requestID, "no request id");
}

for (const [lane, kind, status, code] of REFUSALS) {
  scenario(`error ${code} (${lane})`, async () => {
    for (const [name, more] of [[lane, {}], [`${lane}-streamed`, { stream: true }]]) {
      const error = await thrown(kind, () => ask(more, name, once));
      checkError(error, status, code);
      if (status === 429 || status === 503) {
        const wait = Number(error.headers.get("retry-after"));
        check(wait > 0 && wait <= 7, "no retry-after");
      }
    }
  });
}

scenario("error invalid_api_key", async () => {
  const stranger = client.withOptions({ apiKey: "wb-not-a-key", maxRetries: 0 });
  const calls = [() => stranger.chat.completions.create(question()), () => stranger.models.list()];
  // Often, on one client: a connection that a refusal leaves broken shows at the next request.
  for (let turn = 0; turn < 80; turn += 1) {
    const error = await thrown(OpenAI.AuthenticationError, calls[turn % calls.length]);
    checkError(error, 401, "invalid_api_key");
  }
});

scenario("error model_not_found", async () => {
  const error = await thrown(OpenAI.NotFoundError, () => ask({ model: "on-the-moon" }));
  checkError(error, 404, "model_not_found");
  equal(error.param, "model", "param");
  const retrieved = await thrown(OpenAI.NotFoundError, () => client.models.retrieve("on-the-moon"));
  checkError(retrieved, 404, "model_not_found");
});

scenario("error of the request", async () => {
  const messages = [{ role: "wizard", content: "Abracadabra" }];
  const error = await thrown(OpenAI.BadRequestError, () => ask({ messages }));
  equal([error.status, error.type], [400, "invalid_request_error"], "status and type");
  const flag = await thrown(OpenAI.BadRequestError, () => ask({ stream: "yes" }));
  equal([flag.type, flag.param], ["invalid_request_error", "stream"], "type and param");
  const text = await thrown(OpenAI.BadRequestError, () => ask({ messages: "hello" }));
  equal(text.type, "invalid_request_error", "type");
});

scenario("client timeout", async () => {
  const hasty = { timeout: 500, maxRetries: 0 };
  await thrown(OpenAI.APIConnectionTimeoutError, () => ask({}, "hanging", hasty));
  check(await goneWithin("-hanging", SOON), "the provider was not told at once");
});

scenario("retry after a rate limit", async () => {
  const answer = await ask({}, "limited-once");
  equal(answer.usage.completion_tokens, TOKENS, "completion tokens");
  const sent = (await journal("-once")).map((entry) => entry.status);
  equal(sent, [429, 200], "what the provider sent");
});

scenario("no retry storm", async () => {
  const error = await thrown(OpenAI.InternalServerError, () => ask({}, "storm"));
  equal(error.headers.get("x-should-retry"), "false", "x-should-retry");
  const attempts = Number(error.headers.get("x-weighbridge-attempts"));
  equal((await journal("-storm")).length, attempts, "requests that reached the provider");
});

scenario("fallback", async () => {
  const { data, response } = await ask({}, "falling-back").withResponse();
  const header = (name) => response.headers.get(`x-weighbridge-${name}`);
  equal(data.choices[0].message.content, (await ask()).choices[0].message.content, "text");
  equal([header("attempts"), header("fallback-reason")], ["2", "5xx"], "attempts and reason");
  check(header("fallback-from").includes("bad-gateway/"), "wrong fallback-from");
});

// The text of a stream that breaks, its finish reasons and its error.
async function listen(lane) {
  const heard = { text: "", finishes: [] };
  const error = await thrown(OpenAI.APIError, async () => {
    for await (const chunk of await ask({ stream: true }, lane)) {
      for (const { delta, finish_reason } of chunk.choices) {
        heard.text += delta.content ?? "";
        if (finish_reason) heard.finishes.push(finish_reason);
      }
    }
  });
  return { ...heard, error };
}

scenario("stream cut in the middle", async () => {
  const { text, finishes, error } = await listen("cut");
  const whole = (await ask()).choices[0].message.content;
  check(text && whole !== text && whole.startsWith(text), `received: ${text}`);
  equal(finishes, [], "finish reasons");
  equal(error.code, "stream_interrupted", "code");
  check(error.message && error.type, "no message or no type");
});

scenario("cut answer, unstreamed", async () => {
  const error = await thrown(OpenAI.InternalServerError, () => ask({}, "cut", once));
  checkError(error, 502, "stream_interrupted");
});

scenario("error in the stream", async () => {
  const { text, finishes, error } = await listen("breaking");
  check(text && error.code && error.type, `received: ${text}, ${error}`);
  equal(finishes, [], "finish reasons");
});

scenario("cancellation", async () => {
  const stream = await ask({ stream: true }, "endless");
  let chunks = 0;
  for await (const _ of stream) if (++chunks === 5) break;
  equal(chunks, 5, "chunks before leaving");
  check(await goneWithin("-f40", SOON), "the provider was not told at once");
});

scenario("cancellation by the caller", async () => {
  for (const stream of [true, false]) {
    const before = await gone("-f40");
    const leaving = new AbortController();
    setTimeout(() => leaving.abort(), PATIENCE);
    const call = async () => {
      const answer = await ask({ stream }, "endless", { signal: leaving.signal });
      if (stream) await all(answer);
    };
    // An aborted stream ends quietly, an aborted call by an error.
    await (stream ? call() : thrown(OpenAI.APIUserAbortError, call));
    check(await goneWithin("-f40", SOON, before + 1), "the provider was not told at once");
  }
});
