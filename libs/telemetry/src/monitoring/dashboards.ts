/** Grafana dashboards made of the metric definitions: every metric of a part of the product has a panel. */
import { METRICS, type MetricDefinition } from "../metric-definitions.js";

/** A dashboard as Grafana imports it, and the name of its file. */
interface Dashboard {
  name: string;
  model: object;
}

const TITLES: Readonly<Record<string, string>> = {
  rpc: "Calls",
  bus: "Event bus",
  policy: "Policy",
  reward: "Reward model",
  rollout: "Rollout workers",
  trainer: "Trainer",
  process: "Processes",
};

/** One dashboard a part. */
export function dashboards(): Dashboard[] {
  const all: MetricDefinition[] = Object.values(METRICS);
  return Object.entries(TITLES).map(([name, title]) => ({
    name,
    model: dashboard(
      name,
      title,
      all.filter((metric) => partOf(metric) === name),
    ),
  }));
}

function partOf({ name }: MetricDefinition): string {
  const part = /^stagecraft_([a-z]+)_/.exec(name)?.[1] ?? "process";
  return part in TITLES ? part : "process";
}

function dashboard(name: string, title: string, metrics: readonly MetricDefinition[]) {
  return {
    uid: `stagecraft-${name}`,
    title: `Stagecraft: ${title}`,
    tags: ["stagecraft"],
    schemaVersion: 39,
    editable: true,
    refresh: "30s",
    time: { from: "now-3h", to: "now" },
    templating: {
      list: [
        { name: "datasource", type: "datasource", query: "prometheus", label: "Prometheus" },
        {
          ...{ name: "service", type: "query", label: "service", datasource: SOURCE },
          query: `label_values(process_start_time_seconds, service)`,
          ...{ refresh: 2, includeAll: true, multi: true, allValue: ".*" },
          current: { text: "All", value: "$__all" },
        },
      ],
    },
    panels: metrics.map(panel),
  };
}

const SOURCE = { type: "prometheus", uid: "${datasource}" };
const [WIDTH, HEIGHT, PER_ROW] = [12, 8, 2];

function panel(metric: MetricDefinition, i: number) {
  const { name, doc, unit } = metric;
  return {
    id: i + 1,
    type: "timeseries",
    title: name.replace(/^stagecraft_/, "").replaceAll("_", " "),
    description: doc,
    datasource: SOURCE,
    gridPos: {
      ...{ w: WIDTH, h: HEIGHT },
      ...{ x: (i % PER_ROW) * WIDTH, y: Math.floor(i / PER_ROW) * HEIGHT },
    },
    fieldConfig: {
      defaults: { unit: unitOf(metric, unit), custom: { fillOpacity: 8 } },
      overrides: [],
    },
    targets: queriesOf(metric).map(({ expr, legend }, n) => ({
      ...{ refId: String.fromCharCode(65 + n), expr, legendFormat: legend, datasource: SOURCE },
    })),
  };
}

function queriesOf({ kind, name, labels }: MetricDefinition): { expr: string; legend: string }[] {
  const by = ["service", ...labels];
  const legend = by.map((label) => `{{${label}}}`).join(" ");
  const sum = (suffix: string, also: readonly string[] = []) =>
    `sum by (${[...by, ...also].join(", ")}) (rate(${name}${suffix}{service=~"$service"}[$__rate_interval]))`;
  if (kind === "counter") return [{ expr: sum(""), legend }];
  if (kind === "gauge") {
    return [{ expr: `${name}{service=~"$service"}`, legend: `${legend} {{instance}}` }];
  }
  return [0.5, 0.99].map((quantile) => ({
    expr: `histogram_quantile(${quantile}, ${sum("_bucket", ["le"])})`,
    legend: `${legend} p${quantile * 100}`,
  }));
}

/** Of Grafana's units; a counter of seconds is shown as its rate, a share of a core. */
function unitOf({ kind }: MetricDefinition, unit: string): string {
  if (kind === "counter") return unit === "seconds" ? "percentunit" : "cps";
  if (unit === "seconds") return "s";
  if (unit === "bytes") return "bytes";
  return unit === "share" ? "percentunit" : "short";
}
