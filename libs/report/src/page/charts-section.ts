import { formatTick } from "./scale.js";
import { html, type SafeHtml } from "./html.js";
import type { Chart, CurveSeries } from "../run/curves.js";
import { numberHead, table } from "./table.js";

/** Places for the charts, which the page's script fills, and their figures as a table for everybody. */
export function chartsSection(charts: readonly Chart[]): SafeHtml {
  const stages = [...new Set(charts.map(({ stage }) => stage))];
  return html`<section>
    <h2>The figures</h2>
    <p class="note">
      Drag over a chart to look closer, or focus it and use + − ← →; a double click or 0 shows all.
    </p>
    <div id="chart-tools"></div>
    ${stages.map((stage) => stageCharts(stage, charts))}
    <noscript><p>The curves need scripts, which this browser does not run.</p></noscript>
    <details>
      <summary>First, lowest, highest and last values</summary>
      ${valuesTable(charts)}
    </details>
  </section>`;
}

function stageCharts(stage: string, charts: readonly Chart[]): SafeHtml {
  const places = (isMinor: boolean) =>
    charts.flatMap((chart, i) =>
      chart.stage === stage && chart.isMinor === isMinor
        ? [html`<div data-chart="${i}"></div>`]
        : [],
    );
  const minor = places(true);
  return html`<h3>${stage}</h3>
    <div class="charts">${places(false)}</div>
    ${
      minor.length === 0
        ? ""
        : html`<details class="minor">
            <summary>${minor.length} more of ${stage}</summary>
            <div class="charts">${minor}</div>
          </details>`
    }`;
}

function valuesTable(charts: readonly Chart[]): SafeHtml {
  const rows = charts.flatMap(({ stage, title, series }) =>
    series.map((each) => valuesRow(`${stage}: ${title}`, each)),
  );
  const heads = ["First", "Lowest", "Highest", "Last"].map(numberHead);
  return table(["Figure", "Run", ...heads], rows);
}

function valuesRow(figure: string, { run, name, y, every = 1 }: CurveSeries): SafeHtml {
  const known = y.filter((value) => value !== null);
  const [low, high] = known.reduce(
    ([least, most], value) => [Math.min(least, value), Math.max(most, value)],
    [Infinity, -Infinity],
  );
  return html`<tr>
    <td>${figure}</td>
    <td>${run}, ${name}${every > 1 ? `, means of ${every} records` : ""}</td>
    ${[known[0]!, low, high, known.at(-1)!].map(
      (value) => html`<td class="n">${formatTick(Number(value.toPrecision(4)))}</td>`,
    )}
  </tr>`;
}
