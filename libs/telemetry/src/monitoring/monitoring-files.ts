import { alertRulesYaml, prometheusRuleYaml } from "./alert-rules.js";
import { dashboards } from "./dashboards.js";

/** What stands in deploy/monitoring, by name: Grafana dashboards and Prometheus' alert rules. */
export function monitoringFiles(): ReadonlyMap<string, string> {
  const boards = dashboards().map(
    ({ name, model }) =>
      [`dashboards/${name}.json`, `${JSON.stringify(model, null, 2)}\n`] as const,
  );
  const rules = [
    ["alerts.yaml", alertRulesYaml()],
    ["prometheus-rule.yaml", prometheusRuleYaml()],
  ] as const;
  return new Map([...boards, ...rules]);
}
