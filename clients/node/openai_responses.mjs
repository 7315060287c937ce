// openai-node's Responses API: words, tools, shapes, failures.

import OpenAI from "openai";
import { zodTextFormat } from "openai/helpers/zod";

import {
  BOTH, FORECAST, Forecast, LOOK, NAMES, ONE, PNG_URL, RESULTS, TOOLS, WORDS, checkCalls,
  checkResults,
} from "./asks.mjs";
import {
  TOKENS, all, check, checkGone, checkPart, checkRefusedOnce, equal, leave, model, play, scenario,
  thrown,
} from "./stage.mjs";

const client = new OpenAI();

const tools = TOOLS.map(([name, description, parameters]) => ({
  type: "function",
  name,
  description,
  parameters,
  strict: false,
}));

const asked = (more = {}, lane = "") => ({ model: model(lane), input: WORDS, ...more });
const ask = (more, lane, options) => client.responses.create(asked(more, lane), options);

const called = (response) =>
  response.output
    .filter((item) => item.type === "function_call")
    .map(({ call_id, name, arguments: text }) => ({ id: call_id, name, arguments: text }));

const joined = (events, kind) =>
  events.filter(({ type }) => type === kind).map(({ delta }) => delta).join("");

scenario("plain", async () => {
  const answer = await ask();
  equal([answer.object, answer.status], ["response", "completed"], "object and status");
  check(answer.id && answer.output_text, "no id or no text");
  equal(answer.usage.output_tokens, TOKENS, "output tokens");
});

scenario("stream", async () => {
  const events = await all(ask({ stream: true }));
  const whole = await ask();
  equal(joined(events, "response.output_text.delta"), whole.output_text, "streamed text");
  const numbers = events.map((event) => event.sequence_number);
  equal(numbers, [...numbers.keys()], "numbers");
  equal(events.at(-1).type, "response.completed", "last event");
  const final = await client.responses.stream(asked()).finalResponse();
  equal(final.output_text, whole.output_text, "text as the SDK assembles it");
});

scenario("image", async () => {
  const picture = { type: "input_image", image_url: PNG_URL, detail: "auto" };
  const content = [{ type: "input_text", text: LOOK }, picture, picture];
  const said = (await ask({ input: [{ role: "user", content }] })).output_text;
  check(said.startsWith("I see 2 images."), said);
});

scenario("JSON schema", async () => {
  const text = { format: zodTextFormat(Forecast, "forecast") };
  const answer = await client.responses.parse(asked({ input: FORECAST, text }));
  check(Forecast.safeParse(answer.output_parsed).success, "not the shape");
});

scenario("tools", async () => checkCalls(called(await ask({ input: ONE, tools })), [NAMES[0]]));

scenario("parallel tools", async () => {
  checkCalls(called(await ask({ input: BOTH, tools })), NAMES);
});

scenario("parallel tools streamed", async () => {
  const final = await client.responses.stream(asked({ input: BOTH, tools })).finalResponse();
  checkCalls(called(final), NAMES);
});

scenario("tool results", async () => {
  const first = await ask({ input: BOTH, tools });
  const outputs = called(first).map(({ id }, at) => ({
    type: "function_call_output",
    call_id: id,
    output: RESULTS[at],
  }));
  const input = [{ role: "user", content: BOTH }, ...first.output, ...outputs];
  checkResults((await ask({ input, tools })).output_text);
});

scenario("retry after a rate limit", async () => {
  equal((await ask({}, "limited-once")).usage.output_tokens, TOKENS, "output tokens");
  await checkRefusedOnce();
});

scenario("error 429", async () => {
  const error = await thrown(OpenAI.RateLimitError, () => ask({}, "limited", { maxRetries: 0 }));
  equal([error.status, error.code], [429, "rate_limit_exceeded"], "status and code");
});

scenario("stream cut in the middle", async () => {
  const heard = [];
  const listen = async () => {
    for await (const event of await ask({ stream: true }, "cut")) {
      heard.push(event);
      if (event.type === "response.failed") throw new OpenAI.OpenAIError(event.response.error.code);
    }
  };
  await thrown([OpenAI.APIError, OpenAI.OpenAIError], listen);
  checkPart(joined(heard, "response.output_text.delta"), (await ask()).output_text);
});

scenario("cancellation", async () => {
  await leave(ask({ stream: true }, "endless"));
  await checkGone();
});

await play(process.argv.slice(2));
