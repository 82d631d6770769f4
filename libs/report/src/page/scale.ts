/** A straight map from data to pixels, with round tick values. */
export interface Scale {
  readonly domain: readonly [number, number];
  readonly ticks: readonly number[];
  toPixel(value: number): number;
}

export interface ScaleOptions {
  /** Pixels of the domain's ends; the first may be the larger one, as on a y axis. */
  readonly range: readonly [number, number];
  /** Fixed ends; default: those of the data, widened to ticks. */
  readonly min?: number;
  readonly max?: number;
  readonly numTicks?: number;
}

/** A scale for any values: none, one, equal ones, or with NaN and ±Infinity, which do not count. */
export function createScale(values: Iterable<number>, options: ScaleOptions): Scale {
  const { range, numTicks = 5 } = options;
  const [low, high] = extentOf(values, options);
  const step = niceStep((high - low) / numTicks);
  const start = options.min ?? Math.floor(low / step + 1e-9) * step;
  const end = options.max ?? Math.ceil(high / step - 1e-9) * step;
  const first = Math.ceil(start / step - 1e-9);
  const count = Math.floor(end / step + 1e-9) - first + 1;
  const ticks = Array.from({ length: count }, (_, i) => roundTo((first + i) * step, step));
  const toPixel = (value: number) =>
    range[0] + ((value - start) / (end - start)) * (range[1] - range[0]);
  return { domain: [start, end], ticks, toPixel };
}

/** A tick as people write it: as many digits as the step needs, k and M for large numbers. */
export function formatTick(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e6) return `${trim(value / 1e6)}M`;
  if (size >= 1e4) return `${trim(value / 1e3)}k`;
  return trim(value);
}

function extentOf(values: Iterable<number>, { min, max }: ScaleOptions): [number, number] {
  let [low, high] = [min ?? Infinity, max ?? -Infinity];
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    if (min === undefined) low = Math.min(low, value);
    if (max === undefined) high = Math.max(high, value);
  }
  if (low === Infinity) low = Number.isFinite(high) ? high - 1 : 0;
  if (high === -Infinity) high = low + 1;
  if (high - low > 1e-9 * Math.max(Math.abs(low), Math.abs(high))) return [low, high]; // not rounding
  const pad = Math.max(Math.abs(low) * 0.1, 1e-3); // a flat line stands in the middle
  return [min ?? low - pad, max ?? Math.max(high, low) + pad];
}

/** 1, 2 or 5 times a power of ten, at least `rough`. */
function niceStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = [1, 2, 5, 10].find((candidate) => candidate * power >= rough * (1 - 1e-9)) ?? 10;
  return factor * power;
}

function roundTo(value: number, step: number): number {
  const digits = Math.max(0, -Math.floor(Math.log10(step)) + 1);
  return Number(value.toFixed(Math.min(20, digits)));
}

function trim(value: number): string {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
}
