import { readdirSync } from "node:fs";
import { METRICS, monitoringFiles } from "@stagecraft/telemetry";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { ELSEWHERE, EVERYTHING, render, RENDERER_MISSING } from "./render.js";
import { isService } from "./settings.js";
import { find, serversOf } from "./workloads.js";

const skipped = RENDERER_MISSING ? ` (skipped: ${RENDERER_MISSING})` : "";
describe.skipIf(RENDERER_MISSING !== undefined)(`components/monitoring${skipped}`, () => {
  it("scrapes every service, and no pod that has no metrics", () => {
    const { selector, podMetricsEndpoints } = find(render(EVERYTHING), "PodMonitor", "stagecraft")[
      "spec"
    ] as { selector: { matchLabels: Record<string, string> }; podMetricsEndpoints: Endpoint[] };
    const scraped = serversOf(render(EVERYTHING)).filter(
      ({ labels, container }) =>
        Object.entries(selector.matchLabels).every(([key, value]) => labels[key] === value) &&
        container.ports?.some(({ name }) => name === podMetricsEndpoints[0]!.port),
    );
    const services = serversOf(render(EVERYTHING)).filter(({ name }) => isService(name));
    expect(scraped.map(({ name }) => name)).toEqual(services.map(({ name }) => name));
  });

  it("has every dashboard, as it stands in deploy/monitoring", () => {
    const maps = render(ELSEWHERE).filter(({ metadata }) => metadata.labels?.["grafana_dashboard"]);
    const files = maps.flatMap(({ data }) => Object.entries(data as Record<string, string>));
    const wanted = readdirSync(new URL("../monitoring/dashboards", import.meta.url));
    expect(files.map(([name]) => name)).toEqual(wanted.map((name) => `stagecraft-${name}`));
    for (const [, text] of files) expect(text).toContain('"uid": "stagecraft-');
  });

  it("warns by the rules of deploy/monitoring, of metrics that there are", () => {
    const { spec } = find(render(EVERYTHING), "PrometheusRule", "stagecraft");
    expect(spec).toEqual(parse(monitoringFiles().get("alerts.yaml")!));
    expect(JSON.stringify(spec)).toContain(METRICS.notServing.name);
  });
});

interface Endpoint {
  port: string;
}
