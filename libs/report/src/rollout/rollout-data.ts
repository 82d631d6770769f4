/** One sampled answer with every token's figures, as PPO writes it to rollouts/update-N.jsonl. */
export interface RolloutToShow {
  readonly update: number;
  readonly rolloutId: string;
  /** Rendered, special tokens included. */
  readonly prompt: string;
  readonly answer: string;
  readonly score: number;
  readonly hasEos: boolean;
  readonly tokens: readonly RolloutToken[];
}

export interface RolloutToken {
  readonly text: string;
  readonly id: number;
  readonly logProb: number;
  readonly refLogProb: number;
  /** log π_old − log π_ref. */
  readonly kl: number;
  readonly value: number;
  readonly advantage: number;
  /** −β·kl, plus the score on the last token. */
  readonly reward: number;
}

/** The figures that tokens can be coloured by. */
export type TokenFigure = "advantage" | "reward" | "kl" | "value" | "logProb";

export interface FigureDescription {
  readonly figure: TokenFigure;
  readonly label: string;
  /** What it is, in a sentence. */
  readonly meaning: string;
}

/** In the order of the tabs. */
export const TOKEN_FIGURES: readonly FigureDescription[] = [
  {
    figure: "advantage",
    label: "Advantage",
    meaning:
      "How much better this token turned out than the critic expected: positive ones are made likelier, negative ones rarer.",
  },
  {
    figure: "reward",
    label: "Reward",
    meaning: "−β·KL on every token, and the reward model's score on the last.",
  },
  {
    figure: "kl",
    label: "KL",
    meaning:
      "log π − log π_ref: positive where the policy likes the token more than the reference does.",
  },
  {
    figure: "value",
    label: "Value",
    meaning: "What the critic expects of the rest, before it sees this token.",
  },
  {
    figure: "logProb",
    label: "Log-prob",
    meaning: "Log-probability under the policy that sampled: the stronger, the more surprising.",
  },
];

/** Sums that say how the answer did as a whole. */
export interface RolloutTotals {
  /** Σ log π − log π_ref over the tokens. */
  kl: number;
  /** Σ reward = score − β·KL. */
  reward: number;
  logProb: number;
  /** β, from the two; undefined where there is no KL to price. */
  klCoef: number | undefined;
}

export function totalsOf({ tokens, score }: RolloutToShow): RolloutTotals {
  const sum = (of: (token: RolloutToken) => number) =>
    tokens.reduce((total, token) => total + of(token), 0);
  const kl = sum((token) => token.kl);
  const reward = sum((token) => token.reward);
  const klCoef = Math.abs(kl) < 1e-9 ? undefined : (score - reward) / kl;
  return { kl, reward, logProb: sum((token) => token.logProb), klCoef };
}

/** With a real minus sign, and none before a zero. */
export function fixed(value: number, digits: number): string {
  const text = value.toFixed(digits);
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−");
}
