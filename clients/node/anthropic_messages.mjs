// anthropic-sdk-typescript: words, tools, shapes, counts, failures.

import Anthropic from "@anthropic-ai/sdk";
import { zodOutputFormat } from "@anthropic-ai/sdk/helpers/zod";

import {
  BOTH, FORECAST, Forecast, LOOK, NAMES, ONE, PNG_BASE64, RESULTS, TOOLS, WORDS, checkCalls,
  checkResults,
} from "./asks.mjs";
import {
  TOKENS, all, check, checkGone, checkPart, checkRefusedOnce, equal, leave, model, play, scenario,
  thrown,
} from "./stage.mjs";

const client = new Anthropic();

const tools = TOOLS.map(([name, description, input_schema]) => ({
  name,
  description,
  input_schema,
}));

const asked = (content = WORDS, more = {}, lane = "") => ({
  model: model(lane),
  max_tokens: 2000,
  messages: [{ role: "user", content }],
  ...more,
});
const ask = (content, more, lane, options) =>
  client.messages.create(asked(content, more, lane), options);

const text = (message) =>
  message.content.map((block) => (block.type === "text" ? block.text : "")).join("");

const called = (message) =>
  message.content
    .filter((block) => block.type === "tool_use")
    .map(({ id, name, input }) => ({ id, name, arguments: input }));

scenario("plain", async () => {
  const answer = await ask();
  equal([answer.type, answer.stop_reason], ["message", "end_turn"], "type and stop reason");
  check(answer.id && text(answer), "no id or no text");
  equal(answer.usage.output_tokens, TOKENS, "output tokens");
});

scenario("stream", async () => {
  const whole = await ask();
  const final = await client.messages.stream(asked()).finalMessage();
  equal(text(final), text(whole), "streamed text");
  equal(final.usage.output_tokens, TOKENS, "output tokens");
  const kinds = (await all(ask(WORDS, { stream: true }))).map((event) => event.type);
  equal([kinds[0], kinds.at(-1)], ["message_start", "message_stop"], "first and last event");
});

scenario("image", async () => {
  const source = { type: "base64", media_type: "image/png", data: PNG_BASE64 };
  const picture = { type: "image", source };
  const said = text(await ask([picture, picture, { type: "text", text: LOOK }]));
  check(said.startsWith("I see 2 images."), said);
});

scenario("reasoning", async () => {
  const thinking = { type: "enabled", budget_tokens: 1024 };
  const answer = await ask(WORDS, { thinking }, "think");
  equal(answer.content.map((block) => block.type), ["thinking", "text"], "blocks");
});

scenario("JSON schema", async () => {
  const output_config = { format: zodOutputFormat(Forecast) };
  const answer = await client.messages.parse(asked(FORECAST, { output_config }));
  check(Forecast.safeParse(answer.parsed_output).success, "not the shape");
});

scenario("tools", async () => {
  const answer = await ask(ONE, { tools });
  equal(answer.stop_reason, "tool_use", "stop reason");
  checkCalls(called(answer), [NAMES[0]]);
});

scenario("parallel tools", async () => checkCalls(called(await ask(BOTH, { tools })), NAMES));

scenario("parallel tools streamed", async () => {
  checkCalls(called(await client.messages.stream(asked(BOTH, { tools })).finalMessage()), NAMES);
});

scenario("tool results", async () => {
  const first = await ask(BOTH, { tools });
  const content = called(first).map(({ id }, at) => ({
    type: "tool_result",
    tool_use_id: id,
    content: RESULTS[at],
  }));
  const messages = [
    { role: "user", content: BOTH },
    { role: "assistant", content: first.content },
    { role: "user", content },
  ];
  checkResults(text(await ask(BOTH, { tools, messages })));
});

scenario("token count", async () => {
  const said = { model: model(), messages: [{ role: "user", content: WORDS }] };
  check((await client.messages.countTokens(said)).input_tokens > 0, "no tokens");
});

scenario("models", async () => {
  const listed = await all(client.models.list({ limit: 1000 }));
  check(listed.some((each) => each.id === model()), "it is not listed");
});

scenario("retry after a rate limit", async () => {
  equal((await ask(WORDS, {}, "limited-once")).usage.output_tokens, TOKENS, "output tokens");
  await checkRefusedOnce();
});

scenario("error 429", async () => {
  const call = () => ask(WORDS, {}, "limited", { maxRetries: 0 });
  const error = await thrown(Anthropic.RateLimitError, call);
  equal([error.status, error.error.error.type], [429, "rate_limit_error"], "status and type");
});

scenario("stream cut in the middle", async () => {
  let heard = "";
  const listen = async () => {
    for await (const event of await ask(WORDS, { stream: true }, "cut")) {
      heard += event.delta?.text ?? "";
      check(event.type !== "message_stop", "a cut answer looks complete");
    }
  };
  await thrown([Anthropic.APIError, Anthropic.InternalServerError], listen);
  checkPart(heard, text(await ask()));
});

scenario("cancellation", async () => {
  await leave(ask(WORDS, { stream: true }, "endless"));
  await checkGone();
});

await play(process.argv.slice(2));
