import { html, raw, type SafeHtml } from "./html.js";
import { createScale, formatTick, type Scale } from "./scale.js";

export interface Point {
  readonly x: number;
  /** NaN, ±Infinity and null leave a gap in the line. */
  readonly y: number | null;
}

export interface Series {
  readonly name: string;
  readonly points: readonly Point[];
  /** Index into the report's palette; default: the position in the list. */
  readonly colour?: number;
  /** Thin and pale, e.g. the raw values behind a smoothed line. */
  readonly faint?: boolean;
  readonly dashed?: boolean;
  /** Circles at the points; single points always get one. */
  readonly dots?: boolean;
}

export interface LineChartOptions {
  readonly title: string;
  readonly xLabel: string;
  readonly yMin?: number;
  readonly yMax?: number;
  readonly xMin?: number;
  readonly xMax?: number;
  /** Horizontal reference lines with a label. */
  readonly guides?: readonly { readonly y: number; readonly label: string }[];
  /** A dashed line x = y, for calibration. */
  readonly diagonal?: boolean;
}

const [WIDTH, HEIGHT] = [460, 260];
const MARGIN = { top: 14, right: 16, bottom: 40, left: 48 };

/** A figure with an inline SVG line chart and its legend; says so when there is nothing to draw. */
export function lineChart(series: readonly Series[], options: LineChartOptions): SafeHtml {
  const drawn = series.filter(({ points }) => points.some(isDrawable));
  const body = drawn.length === 0 ? emptyPlot() : plot(drawn, options);
  return html`<figure class="chart">
    <figcaption>${options.title}${legend(drawn)}</figcaption>
    <svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${options.title}">${body}</svg>
  </figure>`;
}

function isDrawable(point: Point): point is { x: number; y: number } {
  return Number.isFinite(point.x) && point.y !== null && Number.isFinite(point.y);
}

function legend(series: readonly Series[]): SafeHtml {
  const named = series.filter(({ faint }) => !faint);
  if (named.length < 2) return html``;
  const keys = named.map(
    (item) =>
      html`<span class="key ${item.dashed ? "dashed" : ""} c${colourOf(series, item)}"
        >${item.name}</span
      >`,
  );
  return html`<span class="legend">${keys}</span>`;
}

function emptyPlot(): SafeHtml {
  return html`<text class="empty" x="${WIDTH / 2}" y="${HEIGHT / 2}">no data</text>`;
}

function plot(series: readonly Series[], options: LineChartOptions): SafeHtml {
  const points = series.flatMap((item) => item.points.filter(isDrawable));
  const guides = options.guides ?? [];
  const x = createScale(
    points.map((point) => point.x),
    {
      range: [MARGIN.left, WIDTH - MARGIN.right],
      ...bounds(options.xMin ?? Math.min(...points.map((point) => point.x)), xEnd(points, options)),
    },
  );
  const y = createScale([...points.map((point) => point.y), ...guides.map((guide) => guide.y)], {
    range: [HEIGHT - MARGIN.bottom, MARGIN.top],
    ...bounds(options.yMin, options.yMax),
  });
  return html`${axes(x, y, options.xLabel)}${options.diagonal ? diagonal(x, y) : ""}
  ${guides.map((guide) => guideLine(guide, y))}
  ${series.map((item) => path(item, colourOf(series, item), x, y))}`;
}

/** The x axis ends with the data, unless all points share one x. */
function xEnd(points: readonly Point[], { xMin, xMax }: LineChartOptions): number | undefined {
  const end = Math.max(...points.map((point) => point.x));
  const start = xMin ?? Math.min(...points.map((point) => point.x));
  return xMax ?? (end > start ? end : undefined);
}

function bounds(min: number | undefined, max: number | undefined) {
  return { ...(min === undefined ? {} : { min }), ...(max === undefined ? {} : { max }) };
}

function axes(x: Scale, y: Scale, xLabel: string): SafeHtml {
  const [left, right] = [MARGIN.left, WIDTH - MARGIN.right];
  const floor = HEIGHT - MARGIN.bottom;
  const rows = y.ticks.map(
    (tick) =>
      html`<line class="grid" x1="${left}" x2="${right}" y1="${at(y, tick)}" y2="${at(y, tick)}" />
        <text class="tick end" x="${left - 8}" y="${at(y, tick)}" dy="0.32em"
          >${formatTick(tick)}</text
        >`,
  );
  const columns = x.ticks.map(
    (tick) =>
      html`<text class="tick" x="${at(x, tick)}" y="${floor + 16}">${formatTick(tick)}</text>`,
  );
  return html`${rows}<line class="axis" x1="${left}" x2="${right}" y1="${floor}" y2="${floor}" />
    ${columns}<text class="label" x="${(left + right) / 2}" y="${HEIGHT - 6}">${xLabel}</text>`;
}

function diagonal(x: Scale, y: Scale): SafeHtml {
  const from = Math.max(x.domain[0], y.domain[0]);
  const to = Math.min(x.domain[1], y.domain[1]);
  return html`<line
    class="guide"
    x1="${at(x, from)}"
    y1="${at(y, from)}"
    x2="${at(x, to)}"
    y2="${at(y, to)}"
  />`;
}

function guideLine({ y, label }: { y: number; label: string }, scale: Scale): SafeHtml {
  const height = at(scale, y);
  return html`<line
      class="guide"
      x1="${MARGIN.left}"
      x2="${WIDTH - MARGIN.right}"
      y1="${height}"
      y2="${height}"
    />
    <text class="guide-label" x="${WIDTH - MARGIN.right}" y="${Number(height) - 5}"
      >${label}</text
    >`;
}

function path(series: Series, colour: number, x: Scale, y: Scale): SafeHtml {
  const runs = continuousRuns(series.points);
  const commands = runs
    .filter((run) => run.length > 1)
    .map((run) => `M${run.map((point) => `${at(x, point.x)},${at(y, point.y)}`).join("L")}`);
  const dotted = runs.flatMap((run) => (series.dots || run.length === 1 ? run : []));
  const style = `${series.faint ? "faint" : ""} ${series.dashed ? "dashed" : ""}`;
  const line =
    commands.length === 0
      ? ""
      : html`<path class="line c${colour} ${style}" d="${raw(commands.join(""))}" />`;
  const dots = dotted.map(
    (point) =>
      html`<circle class="dot c${colour}" cx="${at(x, point.x)}" cy="${at(y, point.y)}" r="3">
        <title>${series.name}: ${formatTick(point.y)} at ${formatTick(point.x)}</title>
      </circle>`,
  );
  return html`${line}${dots}`;
}

function continuousRuns(points: readonly Point[]): { x: number; y: number }[][] {
  const runs: { x: number; y: number }[][] = [[]];
  for (const point of points) {
    if (isDrawable(point)) runs.at(-1)!.push(point);
    else if (runs.at(-1)!.length > 0) runs.push([]);
  }
  return runs;
}

function colourOf(series: readonly Series[], item: Series): number {
  return item.colour ?? series.indexOf(item);
}

function at(scale: Scale, value: number): string {
  return scale.toPixel(value).toFixed(1);
}
