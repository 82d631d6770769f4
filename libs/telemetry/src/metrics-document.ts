import { describeMetrics } from "./metric-definitions.js";

/** docs/metrics.md: written by `npm run docs:metrics`, compared with the file by a test. */
export function metricsDocument(): string {
  return `# Metrics

Written by \`npm run docs:metrics\` from libs/telemetry/src/metric-definitions.ts; change them there.

Every service answers \`GET /metrics\` in Prometheus' text format on its \`--metrics-port\`. Each series
carries \`service\` beside the labels listed here. Histograms come as \`_bucket\`, \`_sum\` and \`_count\`.
Dashboards for Grafana and alert rules for Prometheus are made from the same definitions: [deploy/monitoring](../deploy/monitoring).

${describeMetrics()}

Questions and the expressions that answer them:

| question | PromQL |
|---|---|
| How busy is the trainer, the policy? | \`rate(stagecraft_busy_seconds_total[1m])\` by service |
| How many sequences does a decode step carry? | \`rate(stagecraft_policy_tokens_total{phase="generated"}[1m]) / rate(stagecraft_policy_steps_total[1m])\` |
| Rollouts per second? | \`sum(rate(stagecraft_rollout_tasks_total{outcome="published"}[1m]))\` |
| Are the workers or the trainer behind? | \`stagecraft_bus_pending_messages\`: \`prompts\` grows when workers are, \`rollouts\` when the trainer is |
| Is anything given up? | \`increase(stagecraft_bus_dead_letters_total[10m]) > 0\` |
| Is a main loop stuck? | \`stagecraft_event_loop_lag_seconds > 0.25\` |
`;
}
