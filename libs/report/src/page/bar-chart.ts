import { percent } from "./format.js";
import { html, type SafeHtml } from "./html.js";

export interface BarGroup {
  readonly label: string;
  /** One value per series, 0 to 1; undefined leaves the bar out. */
  readonly values: readonly (number | undefined)[];
}

export interface BarChartOptions {
  readonly title: string;
  readonly series: readonly { readonly name: string; readonly colour: number }[];
  /** How a value is written behind its bar; default "87 %". */
  readonly format?: (value: number) => string;
}

const [WIDTH, LEFT, RIGHT] = [460, 96, 52];
const [BAR, GAP] = [12, 14];

/** Grouped horizontal bars of shares, each with its value written behind it. */
export function barChart(
  groups: readonly BarGroup[],
  { title, series, format = percent }: BarChartOptions,
): SafeHtml {
  const groupHeight = series.length * BAR + GAP;
  const height = groups.length * groupHeight + 4;
  const keys = series.map(({ name, colour }) => html`<span class="key c${colour}">${name}</span>`);
  const bars = groups.map((group, i) => {
    const top = i * groupHeight + GAP / 2;
    const middle = top + (series.length * BAR) / 2;
    return html`<text class="bar-label" x="${LEFT - 10}" y="${middle}" dy="0.32em"
        >${group.label}</text
      >
      ${series.map(({ colour, name }, j) =>
        bar(group.values[j], {
          format,
          colour,
          top: top + j * BAR,
          label: `${group.label}, ${name}`,
        }),
      )}`;
  });
  return html`<figure class="chart">
    <figcaption>${title}<span class="legend">${keys}</span></figcaption>
    <svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${title}">
      <line class="axis" x1="${LEFT}" x2="${LEFT}" y1="0" y2="${height}" />
      ${bars}
    </svg>
  </figure>`;
}

interface BarOptions {
  format: (value: number) => string;
  colour: number;
  top: number;
  label: string;
}

function bar(value: number | undefined, { format, colour, top, label }: BarOptions): SafeHtml {
  if (value === undefined || !Number.isFinite(value)) return html``;
  const length = Math.max(0, Math.min(1, value)) * (WIDTH - LEFT - RIGHT);
  const shown = format(value);
  return html`<rect
      class="bar c${colour}"
      x="${LEFT}"
      y="${top + 1}"
      width="${length.toFixed(1)}"
      height="${BAR - 3}"
      rx="1.5"
    >
      <title>${label}: ${shown}</title></rect
    >
    <text
      class="bar-value"
      x="${(LEFT + length + 6).toFixed(1)}"
      y="${top + BAR / 2 - 0.5}"
      dy="0.34em"
      >${shown}</text
    >`;
}
