import type { StageResult } from "@stagecraft/runs";

/** A stage's result as aligned lines: where things are, then the final figures. */
export function resultText(stage: string, result: StageResult): string {
  const rows: [string, string][] = [];
  if (result.modelDir !== undefined) rows.push(["model", result.modelDir]);
  rows.push(...Object.entries(result.outputs).filter(([, path]) => path !== result.modelDir));
  rows.push(
    ...Object.entries(result.metrics).map(([name, value]): [string, string] => [
      name,
      figure(value),
    ]),
  );
  return [`${stage}: done`, ...alignRows(rows)].join("\n");
}

/** `  name   value` lines with the values in one column. */
export function alignRows(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(0, ...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`);
}

/** Four significant digits; integers whole. */
export function figure(value: number): string {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
}
