import { renderTextTable } from "@stagecraft/core";
import { fixed, totalsOf, type RolloutToShow } from "./rollout-data.js";

const BAR_WIDTH = 6;

/** A rollout for the terminal: prompt, answer, sums, and a line for every token. */
export function rolloutText(rollout: RolloutToShow, { maxWidth = 110 } = {}): string {
  const { kl, reward, logProb } = totalsOf(rollout);
  const { tokens, score, hasEos } = rollout;
  const largest = Math.max(...tokens.map(({ advantage }) => Math.abs(advantage)), 1e-12);
  const rows = tokens.map((token, t) => [
    t + 1,
    visible(token.text),
    fixed(token.logProb, 3),
    fixed(token.refLogProb, 3),
    fixed(token.kl, 3),
    fixed(token.value, 3),
    fixed(token.reward, 3),
    fixed(token.advantage, 3),
    bar(token.advantage / largest),
  ]);
  const table = renderTextTable(
    [
      { title: "#", align: "right" },
      { title: "token", align: "left" },
      { title: "log π", align: "right" },
      { title: "log π_ref", align: "right" },
      { title: "KL", align: "right" },
      { title: "value", align: "right" },
      { title: "reward", align: "right" },
      { title: "advantage", align: "right" },
      { title: "−     0     +", align: "left" },
    ],
    rows,
    { maxWidth },
  );
  return [
    `${rollout.rolloutId}, update ${rollout.update}`,
    "",
    `prompt  ${visible(rollout.prompt)}`,
    `answer  ${visible(rollout.answer)}`,
    "",
    `score ${fixed(score, 3)}   KL ${fixed(kl, 3)} nats   score − β·KL ${fixed(reward, 3)}   log π ${fixed(logProb, 2)}   ${tokens.length} tokens, ${hasEos ? "ended by itself" : "cut off"}`,
    "",
    table,
  ].join("\n");
}

/** Line breaks and tabs as signs, so that a token stays in its cell. */
export function visible(text: string): string {
  return text.replaceAll("\n", "⏎").replaceAll("\t", "⇥").replace(/^ /, "␣");
}

/** `share` from −1 to 1 as blocks to the left or right of a middle line. */
function bar(share: number): string {
  const length = Math.round(Math.min(1, Math.abs(share)) * BAR_WIDTH);
  const [left, right] = share < 0 ? [length, 0] : [0, length];
  const dots = (used: number) => "·".repeat(BAR_WIDTH - used);
  return `${dots(left)}${"█".repeat(left)}│${"█".repeat(right)}${dots(right)}`;
}
