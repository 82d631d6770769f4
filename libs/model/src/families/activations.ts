/** Activations without a gate, by the names that transformers has for them. */
import type { JsonObject } from "@stagecraft/core";
import type { Activation } from "@stagecraft/tensor";
import type { ModelConfig } from "../config.js";

const NAMES: Readonly<Record<string, Activation>> = {
  gelu_new: "gelu",
  gelu_pytorch_tanh: "gelu",
  gelu_fast: "gelu",
  gelu: "gelu-erf",
  gelu_python: "gelu-erf",
  relu: "relu",
  silu: "silu",
  swish: "silu",
  tanh: "tanh",
};

export const activationNames = () => Object.keys(NAMES);

/** The first name that means it. */
export function hfActivation(activation: Activation): string {
  return Object.keys(NAMES).find((name) => NAMES[name] === activation) ?? activation;
}

/** Nothing where it is the family's own. */
export function readActivation(
  hf: JsonObject,
  field: string,
  own: Activation,
): Pick<ModelConfig, "activation"> {
  const name = hf[field];
  const activation = typeof name === "string" ? NAMES[name] : undefined;
  return activation === undefined || activation === own ? {} : { activation };
}
