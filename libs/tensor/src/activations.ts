import type { Activation } from "./types.js";

/** With a second map beside the gate: act(gate) ⊙ up. */
export type GatedActivation = "swiglu" | "geglu";

export type PlainActivation = Exclude<Activation, GatedActivation>;

/** The function of each, of its gate where it has one. */
const FUNCTIONS: Record<Activation, PlainActivation> = {
  swiglu: "silu",
  geglu: "gelu",
  silu: "silu",
  gelu: "gelu",
  "gelu-erf": "gelu-erf",
  relu: "relu",
  tanh: "tanh",
};

export const functionOf = (activation: Activation): PlainActivation => FUNCTIONS[activation];

export function isGated(activation: Activation): activation is GatedActivation {
  return activation === "swiglu" || activation === "geglu";
}
