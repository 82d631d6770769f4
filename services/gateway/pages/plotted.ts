/// <reference lib="dom" />
import type { Page } from "playwright-core";

/** What a chart of the page has drawn: the points of each line, gaps as null. */
export function plotted(
  page: Page,
  title: string,
): Promise<Record<string, [x: number, y: number | null][]>> {
  return page.evaluate((wanted) => {
    type Drawn = HTMLElement & {
      plot: { data: (number | null | undefined)[][]; series: { label: string }[] };
    };
    const figures = [...document.querySelectorAll<Drawn>("figure.curve")];
    const figure = figures.find((each) => each.querySelector("figcaption")!.textContent === wanted);
    if (!figure) return {};
    const [x = [], ...lines] = figure.plot.data;
    const points = lines.map((line, i) => [
      figure.plot.series[i + 1]!.label,
      line.flatMap((y, at) => (y === undefined ? [] : [[x[at], y]])),
    ]);
    return Object.fromEntries(points) as Record<string, [number, number | null][]>;
  }, title);
}
