import { barChart } from "./bar-chart.js";
import { percent } from "./format.js";
import { html, type SafeHtml } from "./html.js";
import type { Comparison, ComparisonRow } from "./report-data.js";
import { numberHead, table } from "./table.js";

/** Models keep their colour throughout the report: the first is grey, the rest follow the palette. */
export function colourOfModel(models: readonly string[] | undefined, model: string): number {
  const index = models?.indexOf(model) ?? -1;
  return index <= 0 ? 4 : (index - 1) % 4;
}

/** Exact match and gold score by kind of prompt, and who wins against whom. */
export function comparisonSection(comparison: Comparison): SafeHtml {
  const { models, kinds, winRates = [], notes = [], scorer = "gold" } = comparison;
  const series = models.map((name) => ({ name, colour: colourOfModel(models, name) }));
  const charts = [
    barChart(
      groupsOf(kinds, ({ exact }) => exact),
      { title: "Exact match", series },
    ),
    barChart(
      groupsOf(kinds, ({ gold }) => gold ?? []),
      { title: `Mean ${scorer} score`, series, format: (value) => value.toFixed(2) },
    ),
  ].filter((_, i) => (i === 0 ? kinds.some(hasExact) : scorer === "gold" && kinds.some(hasGold)));
  return html`<section>
    <h2>The models compared</h2>
    <p class="note">Prompts that occur in no training text.</p>
    ${notes.map((note) => html`<p class="note">${note}</p>`)}
    <div class="charts">${charts}</div>
    ${comparisonTable(comparison)}${winRates.length === 0 ? "" : winTable(winRates, scorer)}
  </section>`;
}

function groupsOf(
  rows: readonly ComparisonRow[],
  valuesOf: (row: ComparisonRow) => readonly (number | undefined)[],
) {
  return rows
    .map((row) => ({ label: row.kind, values: valuesOf(row) }))
    .filter(({ values }) => values.some((value) => value !== undefined));
}

const hasExact = ({ exact }: ComparisonRow) => exact.some((value) => value !== undefined);
const hasGold = ({ gold = [] }: ComparisonRow) => gold.some((value) => value !== undefined);

function comparisonTable({ models, kinds, overall, scorer = "gold" }: Comparison): SafeHtml {
  const rows = overall === undefined ? kinds : [...kinds, overall];
  const head = (measure: string) =>
    models.map((model) => numberHead(html`${model}<br />${measure}`));
  const exactShown = rows.some(hasExact);
  const goldShown = rows.some(hasGold);
  const body = rows.map(
    (row) =>
      html`<tr class="${row === overall ? "total" : ""}">
        <td>${row.kind}</td>
        <td class="n">${row.count}</td>
        ${exactShown ? cells(models, row.exact, percent) : ""}
        ${goldShown ? cells(models, row.gold ?? [], (value) => value.toFixed(2)) : ""}
      </tr>`,
  );
  const measures = [...(exactShown ? head("exact") : []), ...(goldShown ? head(scorer) : [])];
  return table(["Kind", numberHead("Prompts"), ...measures], body);
}

function cells(
  models: readonly string[],
  values: readonly (number | undefined)[],
  format: (value: number) => string,
): SafeHtml[] {
  const known = values.filter((value) => value !== undefined);
  const best = known.length > 1 ? Math.max(...known) : NaN;
  return models.map((_, i) => {
    const value = values[i];
    if (value === undefined) return html`<td class="n">–</td>`;
    return html`<td class="n ${value === best ? "best" : ""}">${format(value)}</td>`;
  });
}

function winTable(winRates: NonNullable<Comparison["winRates"]>, scorer: string): SafeHtml {
  const rows = winRates.map(
    ({ model, against, winRate }) =>
      html`<tr>
        <td>${model} against ${against}</td>
        <td class="n">${percent(winRate.rate)}</td>
        <td class="n">${winRate.interval.map(percent).join(" to ")}</td>
        <td class="n">${winRate.wins}</td>
        <td class="n">${winRate.ties}</td>
        <td class="n">${winRate.losses}</td>
      </tr>`,
  );
  const heads = ["Win rate", "95 % interval", "Wins", "Ties", "Losses"].map(numberHead);
  return html`<h3>Win rate by ${scorer} score, ties counting half</h3>
    ${table(["Match", ...heads], rows)}`;
}
