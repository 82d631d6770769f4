import { formatDuration } from "@stagecraft/core";
import { renderTextTable } from "@stagecraft/core";
import type { LoopRound } from "./loop-state.js";

/** The rounds so far, one a line; a star marks a reward model that took over. */
export function roundTable(rounds: readonly LoopRound[]): string {
  const percent = (share: number | null) =>
    share === null ? undefined : `${(100 * share).toFixed(1)} %`;
  return renderTextTable(
    [
      { title: "round", align: "right" },
      { title: "rankings", align: "right" },
      { title: "held-out pairs", align: "right" },
      { title: "RM in use", align: "right" },
      { title: "candidate", align: "right" },
      { title: "p", align: "right" },
      { title: "score", align: "right" },
      { title: "held-out", align: "right" },
      { title: "KL", align: "right" },
      { title: "β", align: "right" },
      { title: "time", align: "right" },
    ],
    rounds.map((row) => [
      row.round,
      `${row.poolRankings} (+${row.newRankings})`,
      row.heldOutPairs,
      percent(row.inUseAccuracy),
      row.candidateAccuracy === null
        ? undefined
        : `${percent(row.candidateAccuracy)}${row.promoted ? " *" : "  "}`,
      row.pValue?.toPrecision(2),
      row.score?.toFixed(3),
      row.evalScore?.toFixed(3),
      row.kl?.toFixed(2),
      row.klCoef.toPrecision(3),
      formatDuration(row.elapsedMs),
    ]),
    { maxWidth: 120 },
  );
}
