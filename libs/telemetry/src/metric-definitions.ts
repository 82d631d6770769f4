interface Definition<L extends string> {
  /** Prometheus name; ends in its unit, counters in `_total`. */
  name: string;
  /** What one unit of the value is. */
  unit: string;
  doc: string;
  labels: readonly L[];
}
export interface CounterDefinition<L extends string = string> extends Definition<L> {
  kind: "counter";
}
export interface GaugeDefinition<L extends string = string> extends Definition<L> {
  kind: "gauge";
}
export interface HistogramDefinition<L extends string = string> extends Definition<L> {
  kind: "histogram";
  /** Upper bounds, ascending, in the metric's unit. */
  buckets: readonly number[];
}
export type MetricDefinition<L extends string = string> =
  CounterDefinition<L> | GaugeDefinition<L> | HistogramDefinition<L>;

function counter<L extends string>(name: string, unit: string, doc: string, ...labels: L[]) {
  return { kind: "counter", name, unit, doc, labels } as CounterDefinition<L>;
}
function gauge<L extends string>(name: string, unit: string, doc: string, ...labels: L[]) {
  return { kind: "gauge", name, unit, doc, labels } as GaugeDefinition<L>;
}
function histogram<L extends string>(
  name: string,
  unit: string,
  buckets: readonly number[],
  doc: string,
  ...labels: L[]
) {
  return { kind: "histogram", name, unit, doc, labels, buckets } as HistogramDefinition<L>;
}

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const SIZES = [1, 2, 4, 8, 16, 32, 64, 128, 256];

/**
 * Every metric of the product, in one place: the name is the contract with dashboards and alerts.
 * Add here first, then use it. `describeMetrics()` prints this table for the documentation.
 */
export const METRICS = {
  rpcServerCalls: counter(
    "stagecraft_rpc_server_calls_total",
    "calls",
    "Calls a server finished, by final status.",
    "method",
    "code",
  ),
  rpcServerDuration: histogram(
    "stagecraft_rpc_server_duration_seconds",
    "seconds",
    SECONDS,
    "Time from a call's headers to its final status.",
    "method",
  ),
  rpcServerInFlight: gauge(
    "stagecraft_rpc_server_in_flight_calls",
    "calls",
    "Calls being handled now.",
    "method",
  ),
  rpcClientCalls: counter(
    "stagecraft_rpc_client_calls_total",
    "calls",
    "Calls a client finished after all its attempts, by final status.",
    "method",
    "code",
  ),
  rpcClientRetries: counter(
    "stagecraft_rpc_client_retries_total",
    "attempts",
    "Attempts after the first.",
    "method",
  ),
  busPublished: counter(
    "stagecraft_bus_published_total",
    "messages",
    "Messages stored by the bus, by kind of subject.",
    "kind",
  ),
  busPublishRetries: counter(
    "stagecraft_bus_publish_retries_total",
    "attempts",
    "Publish attempts repeated because the answer was unknown or the stream full.",
    "kind",
  ),
  busSettled: counter(
    "stagecraft_bus_settled_total",
    "messages",
    "Consumed messages by outcome: ack, nak, term.",
    "kind",
    "outcome",
  ),
  busDeadLetters: counter(
    "stagecraft_bus_dead_letters_total",
    "messages",
    "Messages given up and stored as dead letters.",
    "kind",
  ),
  busPending: gauge(
    "stagecraft_bus_pending_messages",
    "messages",
    "Messages stored and not yet delivered to a consumer.",
    "kind",
  ),
  policyTokens: counter(
    "stagecraft_policy_tokens_total",
    "tokens",
    "Tokens processed: prompt (prefill) or generated.",
    "phase",
  ),
  policyActiveSequences: gauge(
    "stagecraft_policy_active_sequences",
    "sequences",
    "Sequences in the decode batch.",
  ),
  policyQueuedRequests: gauge(
    "stagecraft_policy_queued_requests",
    "requests",
    "Requests waiting for a slot.",
  ),
  policyFirstToken: histogram(
    "stagecraft_policy_first_token_seconds",
    "seconds",
    SECONDS,
    "Time from a request's arrival to its first token.",
  ),
  policyWeightVersion: gauge(
    "stagecraft_policy_weight_version",
    "version",
    "Weight version that serves new requests.",
  ),
  rewardItems: counter(
    "stagecraft_reward_items_total",
    "items",
    "Answers scored, by model.",
    "model",
  ),
  rewardBatchSize: histogram(
    "stagecraft_reward_batch_items",
    "items",
    SIZES,
    "Answers per forward pass.",
  ),
  rolloutsProduced: counter(
    "stagecraft_rollout_rollouts_total",
    "rollouts",
    "Prompt tasks finished, by outcome.",
    "outcome",
  ),
  rolloutDuration: histogram(
    "stagecraft_rollout_duration_seconds",
    "seconds",
    SECONDS,
    "Time per prompt task, by part: generate, score, publish.",
    "part",
  ),
  trainerSteps: gauge("stagecraft_trainer_step", "steps", "Committed optimizer steps of the run."),
  trainerRollouts: counter(
    "stagecraft_trainer_rollouts_total",
    "rollouts",
    "Rollouts consumed, by outcome: trained, duplicate, stale, invalid.",
    "outcome",
  ),
  trainerPart: histogram(
    "stagecraft_trainer_part_seconds",
    "seconds",
    SECONDS,
    "Time per iteration, by part: wait, update, checkpoint, publish.",
    "part",
  ),
  trainerReward: gauge("stagecraft_trainer_reward", "reward", "Mean reward of the last batch."),
  trainerKl: gauge("stagecraft_trainer_kl_nats", "nats", "Mean KL to the reference, per answer."),
  trainerStaleness: gauge(
    "stagecraft_trainer_staleness_versions",
    "versions",
    "Mean lag of the rollouts' weights behind the trainer's.",
  ),
  eventLoopLag: gauge(
    "stagecraft_event_loop_lag_seconds",
    "seconds",
    "99th percentile delay of the main loop since the last scrape.",
  ),
} as const;

/** The registry as a Markdown table, sorted as defined. */
export function describeMetrics(
  definitions: Readonly<Record<string, MetricDefinition>> = METRICS,
): string {
  const rows = Object.values(definitions).map(
    ({ name, kind, unit, labels, doc }) =>
      `| \`${name}\` | ${kind} | ${unit} | ${labels.join(", ")} | ${doc} |`,
  );
  return ["| metric | kind | unit | labels | meaning |", "|---|---|---|---|---|", ...rows].join(
    "\n",
  );
}
