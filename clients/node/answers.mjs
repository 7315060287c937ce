// Answers of words: whole and streamed, their usage, their shapes, what went into them.

import { zodResponseFormat } from "openai/helpers/zod";

import { FORECAST, Forecast, LOOK, PNG_URL } from "./asks.mjs";
import { QUESTION, ask, client, question, words } from "./chat.mjs";
import { BACKEND, Skipped, TOKENS, all, check, equal, model, scenario } from "./stage.mjs";

// The billionth second since 1970: no answer is as old as that.
const YEAR_2001 = 1_000_000_000;

const forecast = () =>
  question({
    messages: [{ role: "user", content: FORECAST }],
    response_format: zodResponseFormat(Forecast, "forecast"),
  });

const text = (answer) => answer.choices[0].message.content;

function checkUsage(usage) {
  equal(usage.completion_tokens, TOKENS, "completion tokens");
  check(usage.prompt_tokens > 0, "no prompt tokens");
  equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens, "total tokens");
}

scenario("plain", async () => {
  const answer = await ask();
  equal(answer.object, "chat.completion", "object");
  check(answer.id && answer.created > YEAR_2001, "no id or no time");
  equal(answer.choices.length, 1, "choices");
  const [{ index, finish_reason, message }] = answer.choices;
  equal([index, finish_reason, message.role], [0, "stop", "assistant"], "index, finish, role");
  check(message.content, "no content");
  check(!message.tool_calls && !message.refusal, "calls or a refusal");
  checkUsage(answer.usage);
});

scenario("stream", async () => {
  const chunks = await all(ask({ stream: true }));
  const said = words(chunks);
  equal(said.text, text(await ask()), "streamed text");
  equal(said.finishes, ["stop"], "finish reasons");
  const objects = new Set(chunks.map((chunk) => chunk.object));
  equal([...objects], ["chat.completion.chunk"], "objects");
  equal(new Set(chunks.map((chunk) => chunk.id)).size, 1, "ids in one stream");
  const roles = chunks.flatMap((chunk) => chunk.choices.map((choice) => choice.delta.role));
  equal(roles.filter(Boolean), ["assistant"], "roles");
  check(chunks.every((chunk) => !chunk.usage), "usage that was not asked for");
  check(chunks.length > TOKENS / 2, `only ${chunks.length} chunks`);
});

scenario("stream with usage", async () => {
  const chunks = await all(ask({ stream: true, stream_options: { include_usage: true } }));
  const last = chunks.pop();
  equal(words(chunks).finishes, ["stop"], "finish reasons");
  equal(last.choices, [], "choices of the last chunk");
  checkUsage(last.usage);
  equal(last.usage.total_tokens, (await ask()).usage.total_tokens, "total tokens");
  check(chunks.every((chunk) => !chunk.usage), "usage before the last chunk");
});

scenario("wide characters by the byte", async () => {
  const said = words(await all(ask({ stream: true }, "wide"))).text;
  equal(said, text(await ask({}, "wide")), "streamed text");
  check(/[^\x00-\x7f]/.test(said) && !said.includes("\ufffd"), "characters were lost");
});

scenario("system prompt", async () => {
  const bare = await ask();
  for (const role of ["system", "developer"]) {
    const content = "You are a bridge and you answer briefly.";
    const told = await ask({ messages: [{ role, content }, QUESTION] });
    equal(text(told), text(bare), "text");
    check(told.usage.prompt_tokens > bare.usage.prompt_tokens, `the ${role} prompt was lost`);
  }
});

scenario("several turns", async () => {
  const first = { role: "user", content: "Good morning, who are you?" };
  const reply = (await ask({ messages: [first] })).choices[0].message;
  const whole = await ask({ messages: [first, reply, QUESTION] });
  const bare = await ask();
  equal(text(whole), text(bare), "text");
  const more = whole.usage.prompt_tokens - bare.usage.prompt_tokens;
  check(more > TOKENS / 2, `earlier turns were lost: ${more} tokens more`);
});

scenario("image", async () => {
  const content = [
    { type: "text", text: LOOK },
    { type: "image_url", image_url: { url: PNG_URL } },
    { type: "image_url", image_url: { url: PNG_URL, detail: "low" } },
  ];
  const said = text(await ask({ messages: [{ role: "user", content }] }));
  check(said.startsWith("I see 2 images."), said);
});

scenario("length limit", async () => {
  for (const limit of ["max_tokens", "max_completion_tokens"]) {
    const answer = await ask({ [limit]: 5 });
    equal(answer.choices[0].finish_reason, "length", `finish reason by ${limit}`);
    equal(answer.usage.completion_tokens, 5, `completion tokens by ${limit}`);
  }
});

scenario("two choices", async () => {
  if (BACKEND !== "openai") throw new Skipped("only OpenAI's chat dialect asks for several");
  const answer = await ask({ n: 2 });
  equal(answer.choices.map((choice) => choice.index), [0, 1], "indices");
  const texts = answer.choices.map((choice) => choice.message.content);
  check(texts[0] !== texts[1] && texts.every(Boolean), "the choices are not two");
  const streamed = ["", ""];
  for (const chunk of await all(ask({ n: 2, stream: true }))) {
    for (const choice of chunk.choices) streamed[choice.index] += choice.delta.content ?? "";
  }
  equal(streamed, texts, "streamed choices");
});

scenario("reasoning", async () => {
  const { message } = (await ask({}, "think")).choices[0];
  const thought = message.reasoning_content;
  check(thought && message.content && !message.content.includes(thought), "no reasoning apart");
  const streamed = { thought: "", text: "" };
  for (const chunk of await all(ask({ stream: true }, "think"))) {
    for (const { delta } of chunk.choices) {
      check(!(delta.reasoning_content && streamed.text), "reasoning after the text");
      streamed.thought += delta.reasoning_content ?? "";
      streamed.text += delta.content ?? "";
    }
  }
  equal(streamed, { thought, text: message.content }, "streamed reasoning and text");
  const messages = [QUESTION, message, { role: "user", content: "And then?" }];
  check(text(await ask({ messages }, "think")), "no answer to its own reasoning");
});

scenario("JSON schema", async () => {
  const answer = await client.chat.completions.parse(forecast());
  const { finish_reason, message } = answer.choices[0];
  equal(Forecast.parse(message.parsed), message.parsed, "parsed");
  equal(finish_reason, "stop", "finish reason");
});

scenario("JSON schema streamed", async () => {
  const whole = await client.chat.completions.parse(forecast());
  const stream = client.chat.completions.stream(forecast());
  let deltas = 0;
  stream.on("content.delta", () => (deltas += 1));
  const final = await stream.finalChatCompletion();
  const [one, other] = [final, whole].map((each) => each.choices[0].message.parsed);
  equal(one, other, "parsed");
  check(deltas > 3, `only ${deltas} deltas`);
});

scenario("many at once", async () => {
  const one = async (_, number) => {
    const messages = [{ role: "user", content: `Question number ${number}?` }];
    return words(await all(ask({ messages, stream: true })));
  };
  const answers = await Promise.all(Array.from({ length: 16 }, one));
  check(answers.every(({ finishes }) => finishes.join() === "stop"), "finish reasons");
  equal(new Set(answers.map((answer) => answer.text)).size, 16, "different answers");
});

scenario("models", async () => {
  const listed = [];
  for await (const each of client.models.list()) listed.push(each.id);
  check(listed.includes(model()) && listed.includes(model("cut")), `listed: ${listed}`);
  equal((await client.models.retrieve(model())).id, model(), "retrieved model");
});

scenario("headers", async () => {
  const { data, response, request_id } = await ask().withResponse();
  const header = (name) => response.headers.get(name);
  equal(header("x-weighbridge-model"), `${BACKEND}/sim-20`, "x-weighbridge-model");
  equal(header("x-weighbridge-requested-model"), model(), "x-weighbridge-requested-model");
  equal(header("x-weighbridge-attempts"), "1", "x-weighbridge-attempts");
  check(Number(header("x-weighbridge-cost-usd")) > 0, "no cost");
  equal([data._request_id, request_id], Array(2).fill(header("x-request-id")), "request ids");
  check(request_id, "no request id");
  equal(data.model, "sim-20", "model in the body");
});
