/** Browser code that reports and pages share; the build takes it from libs/report. */
declare module "virtual:charts" {
  export interface ChartSettings {
    isLog: boolean;
    /** From 0, none, to 1. */
    smoothing: number;
  }
  export interface DrawnChart {
    update(chart: Chart): void;
    set(settings: ChartSettings): void;
    destroy(): void;
  }
  export interface Chart {
    readonly stage: string;
    readonly title: string;
    readonly xLabel: string;
    readonly isMinor: boolean;
    readonly series: readonly {
      readonly run: string;
      readonly name: string;
      readonly x: readonly number[];
      readonly y: readonly (number | null)[];
    }[];
  }
  export function createChart(
    uPlot: unknown,
    place: HTMLElement,
    chart: Chart,
    settings: ChartSettings,
  ): DrawnChart;
  export function createChartTools(
    place: HTMLElement,
    onChange: (settings: ChartSettings) => void,
  ): void;
}
declare module "virtual:curves" {
  import type { Chart } from "virtual:charts";
  export function chartsOf(
    stage: string,
    runs: readonly {
      name: string;
      metrics: { records: Record<string, unknown>[]; breaks: number[] };
    }[],
  ): Chart[];
}
declare module "virtual:charts.css";
declare module "uplot";
