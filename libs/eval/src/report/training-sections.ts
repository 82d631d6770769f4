import { formatCount, formatDuration } from "@stagecraft/core";
import { percent, percentFine } from "./format.js";
import { html, type SafeHtml } from "./html.js";
import { lineChart, type LineChartOptions, type Point, type Series } from "./line-chart.js";
import type { LossCurve, PpoPoint, ReportData, RewardModelReport } from "./report-data.js";

/** Time, speed and outcome of every stage. */
export function stagesSection(stages: ReportData["stages"]): SafeHtml {
  const total = stages.reduce((sum, { durationMs }) => sum + durationMs, 0);
  const rows = stages.map(
    (stage) =>
      html`<tr>
        <td>${stage.name}</td>
        <td class="n">${formatDuration(stage.durationMs)}</td>
        <td class="n">
          ${stage.tokensPerSecond === undefined ? "–" : formatCount(Math.round(stage.tokensPerSecond))}
        </td>
        <td>${stage.work ?? ""}</td>
        <td>${stage.result ?? ""}</td>
      </tr>`,
  );
  return html`<section>
    <h2>The stages</h2>
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th>Stage</th>
            <th class="n">Time</th>
            <th class="n">Tokens/s</th>
            <th>Work</th>
            <th>Result</th>
          </tr>
        </thead>
        <tbody>
          ${rows}
          <tr class="total">
            <td>Together</td>
            <td class="n">${formatDuration(total)}</td>
            <td></td>
            <td></td>
            <td></td>
          </tr>
        </tbody>
      </table>
    </div>
  </section>`;
}

/** Training and validation loss of every stage. */
export function lossSection(curves: readonly LossCurve[]): SafeHtml {
  const charts = curves.map(({ stage, train, validation = [] }) =>
    lineChart(
      [
        { name: "training", points: thin(train), colour: 0 },
        { name: "validation", points: validation, colour: 1, dots: validation.length < 40 },
      ],
      { title: stage, xLabel: "optimizer step" },
    ),
  );
  return html`<section>
    <h2>Loss</h2>
    <p class="note">Nats per token that counts towards the loss.</p>
    <div class="charts">${charts}</div>
  </section>`;
}

/** How well the reward model predicts the labelers, against the best possible under their noise. */
export function rewardSection(report: RewardModelReport): SafeHtml {
  const { accuracy, ceiling, calibration = [], accuracyCurve = [] } = report;
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
  const guides =
    ceiling === undefined ? [] : [{ y: ceiling, label: `best possible ${percent(ceiling)}` }];
  const charts = [
    accuracyCurve.length === 0
      ? ""
      : lineChart(
          [{ name: "held-out accuracy", points: accuracyCurve, dots: accuracyCurve.length < 40 }],
          {
            title: "Pair accuracy",
            xLabel: "optimizer step",
            guides,
          },
        ),
    calibration.length === 0 ? "" : calibrationChart(calibration),
  ];
  return html`<section>
    <h2>The reward model</h2>
    <p>${figures.join("; ")}.</p>
    <div class="charts">${charts}</div>
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

const PPO_CHARTS: readonly (LineChartOptions & { field: keyof PpoPoint; colour: number })[] = [
  { field: "reward", title: "Reward", xLabel: "PPO update", colour: 0 },
  { field: "gold", title: "Gold score", xLabel: "PPO update", colour: 2 },
  {
    field: "kl",
    title: "KL to the SFT model, nats per answer",
    xLabel: "PPO update",
    colour: 1,
    yMin: 0,
  },
  {
    field: "responseLength",
    title: "Answer length, tokens",
    xLabel: "PPO update",
    colour: 3,
    yMin: 0,
  },
  { field: "entropy", title: "Entropy, nats per token", xLabel: "PPO update", colour: 3, yMin: 0 },
  {
    field: "eosRate",
    title: "Answers that end by themselves",
    xLabel: "PPO update",
    colour: 2,
    yMin: 0,
    yMax: 1,
  },
  { field: "klCoef", title: "KL coefficient β", xLabel: "PPO update", colour: 1 },
];

/** What PPO did, update by update; the gold score tells reward hacking from progress. */
export function ppoSection(points: readonly PpoPoint[]): SafeHtml {
  const charts = PPO_CHARTS.flatMap(({ field, colour, ...options }) => {
    const line: Point[] = points.map((point) => ({ x: point.step, y: point[field] ?? null }));
    const measured = line.filter(({ y }) => y !== null);
    if (measured.length === 0) return [];
    const sparse = measured.length < line.length; // measured now and then: join what there is
    return [lineChart(smoothed(options.title, sparse ? measured : line, colour), options)];
  });
  return html`<section>
    <h2>PPO, update by update</h2>
    <p class="note">
      Pale: single updates; strong: running mean. Reward rising while gold falls would be reward
      hacking.
    </p>
    <div class="charts">${charts}</div>
  </section>`;
}

function smoothed(name: string, points: readonly Point[], colour: number): Series[] {
  if (points.length < 12) return [{ name, points, colour, dots: true }];
  return [
    { name, points, colour, faint: true },
    { name: "running mean", points: runningMean(points, Math.ceil(points.length / 15)), colour },
  ];
}

function runningMean(points: readonly Point[], radius: number): Point[] {
  return points.map(({ x }, i) => {
    const near = points
      .slice(Math.max(0, i - radius), i + radius + 1)
      .flatMap(({ y }) => (y !== null && Number.isFinite(y) ? [y] : []));
    return { x, y: near.length === 0 ? null : near.reduce((sum, y) => sum + y, 0) / near.length };
  });
}

const MAX_POINTS = 400;

/** Means of neighbours, so that a long curve stays a small file. */
function thin(points: readonly Point[]): readonly Point[] {
  if (points.length <= MAX_POINTS) return points;
  const size = Math.ceil(points.length / MAX_POINTS);
  return Array.from({ length: Math.ceil(points.length / size) }, (_, i) => {
    const some = points.slice(i * size, (i + 1) * size);
    const known = some.flatMap(({ y }) => (y !== null && Number.isFinite(y) ? [y] : []));
    const y =
      known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length;
    return { x: some.at(-1)!.x, y };
  });
}
