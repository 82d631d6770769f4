import { Option } from "commander";
import { ENGINES } from "@stagecraft/fields";

/** Which tensor engine computes. */
export function engineFlag(): Option {
  return new Option("--engine <name>", "tensor engine").choices(ENGINES).default("auto");
}

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
