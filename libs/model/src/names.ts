/** `lm` predicts tokens, `value` is PPO's critic, `score` the reward model. */
export type Head = "lm" | "value" | "score";

/** The tensors of one linear map or norm. */
export interface ModuleNames {
  readonly weight: string;
  readonly bias: string;
}

/** Where each part of a block keeps its parameters. */
export interface BlockNames {
  /** Of what goes in; only where the family has it, as are those below. */
  readonly attentionNorm?: ModuleNames;
  readonly q: ModuleNames;
  readonly k: ModuleNames;
  readonly v: ModuleNames;
  readonly o: ModuleNames;
  readonly qNorm?: ModuleNames;
  readonly kNorm?: ModuleNames;
  readonly attentionPostNorm?: ModuleNames;
  readonly mlpNorm?: ModuleNames;
  /** Only with a gated activation. */
  readonly gate?: ModuleNames;
  readonly up: ModuleNames;
  readonly down: ModuleNames;
  readonly mlpPostNorm?: ModuleNames;
}

export interface ParameterNames {
  readonly embedding: string;
  /** Only with learned positions. */
  readonly positions?: string;
  readonly finalNorm: ModuleNames;
  block(layer: number): BlockNames;
}

export const HEAD_NAMES = {
  lm: { weight: "lm_head.weight", bias: "lm_head.bias" },
  value: { weight: "value_head.weight", bias: "value_head.bias" },
  score: { weight: "score.weight", bias: "score.bias" },
} as const;

/** Whether a tensor is one of a head's. */
export function isHeadName(name: string): boolean {
  return Object.values(HEAD_NAMES).some(({ weight, bias }) => name === weight || name === bias);
}

export function moduleAt(path: string): ModuleNames {
  return { weight: `${path}.weight`, bias: `${path}.bias` };
}
