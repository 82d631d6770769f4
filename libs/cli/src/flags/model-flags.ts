import { Option, type Command } from "commander";
import { ENGINES } from "@stagecraft/fields";
import { wholeNumberFlag } from "../commands/cluster-flags.js";

/** Which tensor engine computes. */
export function engineFlag(): Option {
  return new Option("--engine <name>", "tensor engine").choices(ENGINES).default("auto");
}

/** How tensors are computed: flags that are `EngineSettings`. */
export function addEngineFlags(
  command: Command,
  { threads = "threads of the engine" } = {},
): Command {
  const precision = "how xla rounds the factors of matrix products: f32 or bf16";
  const attention = "who computes attention on xla: plain, or cudnn (CUDA and bf16)";
  return command
    .addOption(engineFlag())
    .option("--plugin <file>", PLUGIN_FLAG)
    .addOption(new Option("--matmul-precision <type>", precision).choices(["f32", "bf16"]))
    .addOption(new Option("--attention <kind>", attention).choices(["plain", "cudnn"]))
    .addOption(wholeNumberFlag("--threads", `${threads}; 0 = all cores`, 0));
}

/** What `--plugin` is. */
export const PLUGIN_FLAG = "a PJRT plugin for the engine xla; default: the one that pip installed";

/** A chat template that takes the place of the model's. */
export function chatTemplateFlag(): Option {
  const doc = "in place of the model's: chatml, llama3 or a file in Jinja";
  return new Option("--chat-template <template>", doc);
}

/** Tokens that such a template needs. */
export function chatTokensFlag(): Option {
  const doc = "tokens of that template whose names might be text as well";
  return new Option("--chat-tokens <names...>", doc);
}
