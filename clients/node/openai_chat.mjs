// openai-node against the gateway: plays every scenario, or those named by words.

import "./answers.mjs";
import "./tools.mjs";
import "./failures.mjs";
import { play } from "./stage.mjs";

await play(process.argv.slice(2));
