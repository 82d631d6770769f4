import type { RowOutcome } from "./run-row.js";

/** The results for people: a line a row, its figures beside it. */
export function formatOutcomes(outcomes: readonly RowOutcome[]): string {
  const lines = outcomes.map((outcome) => {
    const { name, control, passed, skipped, count, seconds } = outcome;
    const mark = skipped !== undefined ? "skipped" : passed ? "held" : "FAILED";
    const verdict = control === undefined ? mark : passed ? "control fails" : "NOT NOTICED";
    return [name, verdict, String(count), `${seconds} s`, detailsOf(outcome)];
  });
  const header = ["fault", "result", "strikes", "time", "figures"];
  const widths = header.map((text, column) =>
    Math.max(text.length, ...lines.map((line) => line[column]!.length)),
  );
  const row = (cells: readonly string[]) =>
    cells
      .map((cell, i) => (i === cells.length - 1 ? cell : cell.padEnd(widths[i]!)))
      .join("  ")
      .trimEnd();
  return [header, ...lines].map((line) => `${row(line)}\n`).join("");
}

function detailsOf({ control, skipped, passed, problems, figures }: RowOutcome): string {
  if (skipped !== undefined) return skipped;
  if (control !== undefined) return `${control}: ${problems[0]?.split("\n")[0] ?? ""}`;
  if (!passed) return problems[0]?.split("\n")[0] ?? "";
  return Object.entries(figures)
    .map(([name, value]) => `${name} ${value}`)
    .join(", ");
}
