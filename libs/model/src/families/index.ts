import { StagecraftError } from "@stagecraft/core";
import type { Family } from "./family.js";
import { gpt2 } from "./gpt2.js";
import { llama } from "./llama.js";
import { qwen2 } from "./qwen2.js";

/** By transformers' model_type. A new family is its file and its line here. */
export const FAMILIES = { llama, gpt2, qwen2 } satisfies Record<string, Family>;

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
