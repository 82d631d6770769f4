import { CHART_CSS } from "@stagecraft/core";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

/** Scripts that a page with charts holds inside itself. */
export interface ChartScripts {
  /** uPlot, which defines `uPlot` for the page. */
  library: string;
  /** Ours, as a module that draws what `#chart-data` says. */
  charts: string;
}

const require = createRequire(import.meta.url);

/** The scripts' texts. */
export function chartScripts(): ChartScripts {
  const library = readFileSync(require.resolve("uplot/dist/uPlot.iife.min.js"), "utf8");
  const drawing = readFileSync(new URL("../browser/charts.js", import.meta.url), "utf8");
  const charts = `${drawing.replace(/^\/\/# sourceMappingURL.*$/m, "")}\ndrawPage(uPlot);\n`;
  return { library, charts };
}

/** The style sheets of uPlot and of our charts. */
export function chartStyle(): string {
  return readFileSync(require.resolve("uplot/dist/uPlot.min.css"), "utf8") + CHART_CSS;
}
