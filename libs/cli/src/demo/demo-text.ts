import { formatCount, formatDuration, renderTextTable } from "@stagecraft/core";
import type { ComparisonRow, ReportData } from "@stagecraft/report";
import { barLine } from "../checks/bars.js";
import type { DemoOutcome } from "./run-demo.js";

/** What the demo prints at its end: stages, models by kind of prompt, answers, claims. */
export function demoText({ report, claims }: DemoOutcome): string {
  return [
    "",
    stagesTable(report),
    comparisonTable(report),
    samplesText(report),
    claims.map(barLine).join("\n"),
  ].join("\n\n");
}

function stagesTable({ stages }: ReportData): string {
  return renderTextTable(
    [
      { title: "stage", align: "left" },
      { title: "time", align: "right" },
      { title: "tokens/s", align: "right" },
      { title: "work", align: "left" },
      { title: "result", align: "left" },
    ],
    stages.map(({ name, durationMs, tokensPerSecond, work, result }) => [
      name,
      durationMs === undefined ? undefined : formatDuration(durationMs),
      tokensPerSecond === undefined ? undefined : formatCount(tokensPerSecond),
      work,
      result,
    ]),
    { maxWidth: 120 },
  );
}

function comparisonTable({ comparison }: ReportData): string {
  if (!comparison) return "";
  const { models, kinds, overall, notes = [] } = comparison;
  const columns = ["exact", "gold"].flatMap((what) => models.map((model) => `${model} ${what}`));
  const row = ({ kind, exact, gold = [] }: ComparisonRow) => [
    kind,
    ...exact.map(percent),
    ...models.map((_, i) => gold[i]?.toFixed(2)),
  ];
  const table = renderTextTable(
    ["held-out prompts", ...columns.map((title) => ({ title, align: "right" as const }))],
    [...kinds, ...(overall ? [overall] : [])].map(row),
  );
  return [table, ...notes.map((note) => wrap(note, 100))].join("\n");
}

/** `text` in lines of at most `width` characters, cut between words. */
function wrap(text: string, width: number): string {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const line = lines.at(-1);
    if (line !== undefined && line.length + 1 + word.length <= width)
      lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines.join("\n");
}

function percent(share: number | undefined): string | undefined {
  return share === undefined ? undefined : `${Math.round(share * 100)} %`;
}

/** One prompt of each kind with every model's answer. */
function samplesText({ samples = [] }: ReportData): string {
  const kinds = new Set<string>();
  const firsts = samples.filter(({ kind }) => !kinds.has(kind) && kinds.add(kind));
  return firsts
    .map(({ kind, prompt, answers }) => {
      const lines = answers.map(({ model, text }) => `  ${model.padEnd(5)} ${clip(text)}`);
      return [`${kind}: ${clip(prompt)}`, ...lines].join("\n");
    })
    .join("\n\n");
}

function clip(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length <= 110 ? line : `${line.slice(0, 109)}…`;
}
