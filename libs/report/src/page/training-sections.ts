import { formatCount, formatDuration } from "@stagecraft/core";
import { percentFine } from "./format.js";
import { html, type SafeHtml } from "./html.js";
import { lineChart } from "./line-chart.js";
import type { ReportData, RewardModelReport } from "./report-data.js";
import { numberHead, table } from "./table.js";

/** Time, speed and outcome of every stage. */
export function stagesSection(stages: ReportData["stages"]): SafeHtml {
  const total = stages.reduce((sum, { durationMs = 0 }) => sum + durationMs, 0);
  const rows = stages.map(
    (stage) =>
      html`<tr>
        <td>${stage.name}${stage.state === undefined ? "" : html` <b>${stage.state}</b>`}</td>
        <td class="n">
          ${stage.durationMs === undefined ? "–" : formatDuration(stage.durationMs)}
        </td>
        <td class="n">
          ${stage.tokensPerSecond === undefined ? "–" : formatCount(Math.round(stage.tokensPerSecond))}
        </td>
        <td>${stage.work ?? ""}</td>
        <td>${stage.result ?? ""}</td>
      </tr>`,
  );
  const together = html`<tr class="total">
    <td>Together</td>
    <td class="n">${formatDuration(total)}</td>
    <td></td>
    <td></td>
    <td></td>
  </tr>`;
  const heads = ["Stage", numberHead("Time"), numberHead("Tokens/s"), "Work", "Result"];
  return html`<section>
    <h2>The stages</h2>
    ${table(heads, [...rows, together])}
  </section>`;
}

/** How well the reward model predicts the labelers, against the best possible under their noise. */
export function rewardSection(report: RewardModelReport): SafeHtml {
  const { name, accuracy, ceiling, calibration = [] } = report;
  const figures = [
    accuracy === undefined
      ? "No held-out pair judged it"
      : `Held-out pair accuracy ${percentFine(accuracy)}`,
    ...(ceiling === undefined ? [] : [`the labelers' noise allows ${percentFine(ceiling)}`]),
    ...(report.crossEntropy === undefined
      ? []
      : [`cross-entropy ${report.crossEntropy.toFixed(3)}`]),
    ...(report.calibrationError === undefined
      ? []
      : [`calibration error ${percentFine(report.calibrationError)}`]),
    ...(report.numPairs === undefined ? [] : [`${report.numPairs} pairs`]),
  ];
  return html`<section>
    <h2>The reward model <small>${name}</small></h2>
    <p>${figures.join("; ")}.</p>
    ${calibration.length === 0 ? "" : html`<div class="charts">${calibrationChart(calibration)}</div>`}
  </section>`;
}

function calibrationChart(bins: NonNullable<RewardModelReport["calibration"]>): SafeHtml {
  const points = bins.map(({ center, accuracy }) => ({ x: center, y: accuracy }));
  return lineChart([{ name: "observed", points, dots: true, colour: 0 }], {
    title: "Calibration: said against observed share",
    xLabel: "probability that the reward model gives its choice",
    xMin: 0.5,
    xMax: 1,
    yMax: 1,
    diagonal: true,
  });
}
