/** A column of a terminal table; numbers are right-aligned by default. */
export interface TextColumn {
  readonly title: string;
  readonly align?: "left" | "right";
}

export interface TextTableOptions {
  /** Characters a line may take; longer cells of the widest left-aligned column are cut with "…". */
  readonly maxWidth?: number;
}

/**
 * A table for terminals and logs, without colours: title row, rule, rows. Cells are one line each;
 * `undefined` shows as "–". Widths count characters, not bytes.
 */
export function renderTextTable(
  columns: readonly (string | TextColumn)[],
  rows: readonly (readonly (string | number | undefined)[])[],
  { maxWidth = 100 }: TextTableOptions = {},
): string {
  const heads = columns.map((column) => (typeof column === "string" ? { title: column } : column));
  const cells = rows.map((row) => heads.map((_, i) => oneLine(row[i])));
  const right = heads.map(
    ({ align }, i) => (align ?? alignOf(rows.map((row) => row[i]))) === "right",
  );
  const widths = fit(
    heads.map(({ title }, i) => Math.max(...[title, ...cells.map((row) => row[i]!)].map(lengthOf))),
    right,
    maxWidth,
  );
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => pad(clip(cell, widths[i]!), widths[i]!, right[i]!))
      .join("  ")
      .trimEnd();
  const rule = widths.map((width) => "─".repeat(width)).join("  ");
  return [line(heads.map(({ title }) => title)), rule, ...cells.map(line)].join("\n");
}

function oneLine(cell: string | number | undefined): string {
  return cell === undefined ? "–" : String(cell).replace(/\s+/g, " ");
}

function alignOf(cells: readonly (string | number | undefined)[]): "left" | "right" {
  const shown = cells.filter((cell) => cell !== undefined && cell !== "–");
  const numeric = shown.every((cell) => /^[-+]?[\d.,]/.test(String(cell)));
  return numeric && shown.length > 0 ? "right" : "left";
}

function fit(widths: readonly number[], right: readonly boolean[], maxWidth: number): number[] {
  const surplus = widths.reduce((sum, width) => sum + width + 2, -2) - maxWidth;
  if (surplus <= 0) return [...widths];
  const widest = widths.reduce(
    (best, width, i) => (!right[i] && width > (widths[best] ?? 0) ? i : best),
    right.indexOf(false),
  );
  return widths.map((width, i) => (i === widest ? Math.max(8, width - surplus) : width));
}

function clip(cell: string, width: number): string {
  return lengthOf(cell) <= width ? cell : `${[...cell].slice(0, width - 1).join("")}…`;
}

function pad(cell: string, width: number, right: boolean): string {
  const gap = " ".repeat(Math.max(0, width - lengthOf(cell)));
  return right ? gap + cell : cell + gap;
}

function lengthOf(text: string): number {
  return [...text].length;
}
