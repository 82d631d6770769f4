// Scripts of libs/report that run in browsers too, by the names under which the pages import them.
import { join } from "node:path";

const report = join(import.meta.dirname, "..", "..", "..", "libs", "report");

/** @type {Readonly<Record<string, { source: string, built: string }>>} */
export const SHARED_SCRIPTS = {
  "virtual:charts": {
    source: join(report, "src", "browser", "charts.js"),
    built: join(report, "dist", "browser", "charts.js"),
  },
  "virtual:curves": {
    source: join(report, "src", "run", "curves.ts"),
    built: join(report, "dist", "run", "curves.js"),
  },
};
