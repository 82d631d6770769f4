/** Prometheus' alert rules; a test checks that every metric in them is one of ours. */
interface AlertRule {
  alert: string;
  expr: string;
  for: string;
  severity: "critical" | "warning";
  /** What is so, in a sentence; labels of the series may stand in it. */
  summary: string;
  /** What to do. */
  advice: string;
}

const ALERT_RULES: readonly AlertRule[] = [
  {
    alert: "StagecraftNotServing",
    expr: "stagecraft_not_serving > 0",
    for: "2m",
    severity: "critical",
    summary:
      "{{ $labels.service }} on {{ $labels.instance }} does not serve: {{ $labels.reason }}.",
    advice: "Its log says why; docs/operations.md, Health, has the reasons.",
  },
  {
    alert: "StagecraftDeadLetters",
    expr: "increase(stagecraft_bus_dead_letters_total[10m]) > 0",
    for: "0m",
    severity: "warning",
    summary: "Messages of kind {{ $labels.kind }} were given up.",
    advice: "stagecraft dead-letters list shows them; requeue them when the cause is mended.",
  },
  {
    alert: "StagecraftWorkersBehind",
    expr: 'stagecraft_bus_pending_messages{kind="prompts"} > 1000',
    for: "15m",
    severity: "warning",
    summary: "{{ $value }} prompts have waited for rollout workers for 15 minutes.",
    advice: "Start more rollout workers, or more policies when those are busy.",
  },
  {
    alert: "StagecraftTrainerBehind",
    expr: 'sum(stagecraft_bus_pending_messages{kind="rollouts"}) > 0 and sum(increase(stagecraft_trainer_rollouts_total[15m])) == 0',
    for: "5m",
    severity: "critical",
    summary: "Rollouts wait, and the trainer has taken none for 15 minutes.",
    advice:
      "Look at the trainer's log and at its lease; restart it if it hangs: it goes on from its checkpoint.",
  },
  {
    alert: "StagecraftPolicyBehind",
    expr: "max(stagecraft_trainer_weight_version) - min(stagecraft_policy_weight_version) > 3",
    for: "10m",
    severity: "warning",
    summary: "A policy draws from weights that are {{ $value }} versions old.",
    advice: "Its log says why it cannot fetch newer ones; see docs/operations.md, Health.",
  },
  {
    alert: "StagecraftFirstTokenSlow",
    expr: "histogram_quantile(0.95, sum by (le) (rate(stagecraft_policy_first_token_seconds_bucket[5m]))) > 5",
    for: "10m",
    severity: "warning",
    summary: "One answer of twenty waits {{ $value }} s for its first token.",
    advice: "Start more policies, or lower maxQueued so that callers are refused sooner.",
  },
  {
    alert: "StagecraftCallsRefused",
    expr: 'sum by (service, method) (rate(stagecraft_rpc_server_refusals_total{reason=~"busy|quota"}[5m])) > 1',
    for: "10m",
    severity: "warning",
    summary:
      "{{ $labels.service }} refuses calls of {{ $labels.method }}: more come than it may take.",
    advice: "Start more of it, or raise callQuotas for the client that needs it.",
  },
  {
    alert: "StagecraftMainLoopStuck",
    expr: "stagecraft_event_loop_lag_seconds > 0.25",
    for: "5m",
    severity: "warning",
    summary:
      "The main loop of {{ $labels.service }} on {{ $labels.instance }} lags {{ $value }} s.",
    advice: "It has too little processor time: give it more, or less load.",
  },
  {
    alert: "StagecraftRestarts",
    expr: "changes(process_start_time_seconds[1h]) > 3",
    for: "0m",
    severity: "warning",
    summary:
      "{{ $labels.service }} on {{ $labels.instance }} has started {{ $value }} times in an hour.",
    advice: "Its log says why it ended; out of memory shows in process_resident_memory_bytes.",
  },
  {
    alert: "StagecraftPolicyFarFromReference",
    expr: "stagecraft_trainer_kl_nats > 50",
    for: "10m",
    severity: "warning",
    summary:
      "The KL to the reference is {{ $value }} nats an answer: the policy may be gaming the reward model.",
    advice: "Read samples; raise klCoef, or stop and take an earlier version.",
  },
];

/** The rules as Prometheus reads them. */
export function alertRulesYaml(): string {
  const rules = ALERT_RULES.map(({ alert, expr, severity, summary, advice, ...rule }) =>
    [
      `      - alert: ${alert}`,
      `        expr: ${JSON.stringify(expr)}`,
      `        for: ${rule.for}`,
      "        labels:",
      `          severity: ${severity}`,
      "        annotations:",
      `          summary: ${JSON.stringify(summary)}`,
      `          description: ${JSON.stringify(advice)}`,
    ].join("\n"),
  );
  return `${WRITTEN_BY}groups:
  - name: stagecraft
    rules:
${rules.join("\n")}
`;
}

const WRITTEN_BY =
  "# Written by `npm run docs:metrics` from libs/telemetry/src/monitoring/alert-rules.ts; change them there.\n";

/** The same for the Prometheus operator, as an object of Kubernetes. */
export function prometheusRuleYaml(): string {
  const groups = alertRulesYaml().slice(WRITTEN_BY.length).trimEnd().replaceAll(/^/gm, "  ");
  return `${WRITTEN_BY}apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: stagecraft
  namespace: stagecraft
  labels:
    app.kubernetes.io/part-of: stagecraft
spec:
${groups}
`;
}
