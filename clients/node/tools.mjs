// Tool calls: one, several, streamed, and the turn that answers them.

import {
  BOTH as BOTH_WORDS, NAMES, ONE as ONE_WORD, RESULTS, TOOLS as ALL, checkCalls, checkResults,
} from "./asks.mjs";
import { QUESTION, ask, client, question, words } from "./chat.mjs";
import { all, check, equal, scenario } from "./stage.mjs";

const TOOLS = ALL.map(([name, description, parameters]) => ({
  type: "function",
  function: { name, description, parameters },
}));

const ONE = [{ role: "user", content: ONE_WORD }];
const BOTH = [{ role: "user", content: BOTH_WORDS }];

const called = (message) =>
  (message.tool_calls ?? []).map((call) => ({ id: call.id, ...call.function }));

// The calls of a stream put together by index, as clients do.
function assembled(chunks) {
  const calls = [];
  for (const { delta } of chunks.flatMap((chunk) => chunk.choices)) {
    for (const part of delta.tool_calls ?? []) {
      check(part.index <= calls.length, `index ${part.index} jumps`);
      const known = (calls[part.index] ??= { id: part.id, name: undefined, arguments: "" });
      check(part.id == null || part.id === known.id, `the id changed to ${part.id}`);
      const name = part.function?.name;
      check(!name || !known.name || name === known.name, "the name changed");
      known.name ??= name;
      known.arguments += part.function?.arguments ?? "";
    }
  }
  return calls;
}

const parsed = (calls) => calls.map((call) => [call.name, JSON.parse(call.arguments)]);

scenario("tools", async () => {
  const [{ finish_reason, message }] = (await ask({ messages: ONE, tools: TOOLS })).choices;
  equal(finish_reason, "tool_calls", "finish reason");
  checkCalls(called(message), ["get_weather"]);
});

scenario("tool choice", async () => {
  const choose = async (messages, tool_choice) =>
    (await ask({ messages, tools: TOOLS, tool_choice })).choices[0];
  const named = await choose(ONE, { type: "function", function: { name: "get_time" } });
  checkCalls(called(named.message), ["get_time"]);
  const forced = await choose([QUESTION], "required");
  equal(called(forced.message).length, 1, "calls when one is required");
  const idle = await choose(ONE, "none");
  equal([idle.finish_reason, called(idle.message)], ["stop", []], "calls when none is allowed");
});

scenario("parallel tools", async () => {
  const [{ finish_reason, message }] = (await ask({ messages: BOTH, tools: TOOLS })).choices;
  equal(finish_reason, "tool_calls", "finish reason");
  checkCalls(called(message), NAMES);
});

scenario("tools streamed", async () => {
  const chunks = await all(ask({ messages: ONE, tools: TOOLS, stream: true }));
  equal(words(chunks).finishes, ["tool_calls"], "finish reasons");
  checkCalls(assembled(chunks), ["get_weather"]);
});

scenario("parallel tools streamed", async () => {
  const asked = { messages: BOTH, tools: TOOLS };
  const chunks = await all(ask({ ...asked, stream: true }));
  equal(words(chunks).finishes, ["tool_calls"], "finish reasons");
  const calls = assembled(chunks);
  checkCalls(calls, NAMES);
  const whole = called((await ask(asked)).choices[0].message);
  equal(parsed(calls), parsed(whole), "streamed calls");
  const final = await client.chat.completions.stream(question(asked)).finalMessage();
  equal(parsed(called(final)), parsed(whole), "calls as the SDK assembles them");
});

scenario("tool results", async () => {
  const { message } = (await ask({ messages: BOTH, tools: TOOLS })).choices[0];
  const turns = message.tool_calls.map((call, at) => ({
    role: "tool",
    tool_call_id: call.id,
    content: RESULTS[at],
  }));
  const asked = { messages: [...BOTH, message, ...turns], tools: TOOLS };
  const [choice] = (await ask(asked)).choices;
  equal(choice.finish_reason, "stop", "finish reason");
  const text = choice.message.content;
  checkResults(text);
  equal(words(await all(ask({ ...asked, stream: true }))).text, text, "streamed text");
});
