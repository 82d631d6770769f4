import { StagecraftError } from "@stagecraft/core";
import type { Family } from "./family.js";
import { gemma2 } from "./gemma2.js";
import { gemma3 } from "./gemma3.js";
import { gptNeox } from "./gpt-neox.js";
import { gpt2 } from "./gpt2.js";
import { granite } from "./granite.js";
import { llama } from "./llama.js";
import { mistral } from "./mistral.js";
import { olmo2 } from "./olmo2.js";
import { phi3 } from "./phi3.js";
import { qwen2 } from "./qwen2.js";
import { qwen3 } from "./qwen3.js";
import { smollm3 } from "./smollm3.js";

/** By transformers' model_type. A new family is its file and its line here. */
export const FAMILIES = {
  llama,
  gpt2,
  qwen2,
  qwen3,
  mistral,
  smollm3,
  phi3,
  gemma2,
  gemma3_text: gemma3,
  olmo2,
  granite,
  gpt_neox: gptNeox,
} satisfies Record<string, Family>;

export type Architecture = keyof typeof FAMILIES;

export const ARCHITECTURES = Object.keys(FAMILIES) as [Architecture, ...Architecture[]];

/** Undefined for a name that the table does not have. */
export function findFamily({ architecture }: { architecture: string }): Family | undefined {
  return Object.hasOwn(FAMILIES, architecture) ? FAMILIES[architecture as Architecture] : undefined;
}

/** The family of a configuration that has been checked. */
export function familyOf(config: { architecture: string }): Family {
  const family = findFamily(config);
  if (family) return family;
  throw new StagecraftError("invalid_argument", `no model family "${config.architecture}"`);
}
