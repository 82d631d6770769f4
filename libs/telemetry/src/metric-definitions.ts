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
 * Add here first, then use it (a test finds definitions that nobody uses), then write docs/metrics.md
 * anew with `npm run docs:metrics`.
 */
export const METRICS = {
  rpcServerCalls: counter(
    "stagecraft_rpc_server_calls_total",
    "calls",
    "Calls a server finished, by final status.",
    "method",
    "code",
  ),
  rpcServerRefusals: counter(
    "stagecraft_rpc_server_refusals_total",
    "calls",
    "Calls refused before their handler, by reason: caller (unknown), role, busy (calls in flight), quota (calls a minute).",
    "method",
    "reason",
  ),
  rpcServerDuration: histogram(
    "stagecraft_rpc_server_duration_seconds",
    "seconds",
    SECONDS,
    "Time from a call's headers to its final status.",
    "method",
    "code",
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
  busRedelivered: counter(
    "stagecraft_bus_redelivered_total",
    "messages",
    "Deliveries after the first of the same message.",
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
    "Messages stored and not yet delivered to a consumer; told by the trainer.",
    "kind",
  ),
  policyTokens: counter(
    "stagecraft_policy_tokens_total",
    "tokens",
    "Tokens of prompts accepted (prompt) and tokens sampled (generated).",
    "phase",
  ),
  policySteps: counter(
    "stagecraft_policy_steps_total",
    "steps",
    "Decode steps; generated tokens per step is the batch size in use.",
  ),
  policyActiveSequences: gauge(
    "stagecraft_policy_active_sequences",
    "sequences",
    "Sequences in the decode batch.",
  ),
  policyQueuedSequences: gauge(
    "stagecraft_policy_queued_sequences",
    "sequences",
    "Sequences waiting for a place in the batch.",
  ),
  policyFirstToken: histogram(
    "stagecraft_policy_first_token_seconds",
    "seconds",
    SECONDS,
    "Time from a sequence's arrival to its first token.",
  ),
  policyWeightVersion: gauge(
    "stagecraft_policy_weight_version",
    "version",
    "Version of the weights that draw the next token.",
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
  rewardQueuedItems: gauge(
    "stagecraft_reward_queued_items",
    "items",
    "Answers waiting for a forward pass, by model.",
    "model",
  ),
  rolloutsFinished: counter(
    "stagecraft_rollout_tasks_total",
    "tasks",
    "Prompt tasks let go of, by outcome: published, retried (back to the queue), failed (dead letter).",
    "outcome",
  ),
  rolloutDuration: histogram(
    "stagecraft_rollout_duration_seconds",
    "seconds",
    SECONDS,
    "Time per prompt task, by part: generate, score, publish.",
    "part",
  ),
  rolloutInFlight: gauge(
    "stagecraft_rollout_in_flight_tasks",
    "tasks",
    "Prompt tasks being worked on.",
  ),
  trainerRefusals: counter(
    "stagecraft_trainer_refusals_total",
    "runs",
    "Runs refused for a quota, by reason: config (its size), runs (their number), disk.",
    "reason",
  ),
  trainerStep: gauge("stagecraft_trainer_step", "steps", "Updates of the run that trained last."),
  trainerRollouts: counter(
    "stagecraft_trainer_rollouts_total",
    "rollouts",
    "Rollouts that arrived, by outcome: accepted, duplicate, refused, other_run; and reports of tasks that failed.",
    "outcome",
  ),
  trainerPart: histogram(
    "stagecraft_trainer_part_seconds",
    "seconds",
    SECONDS,
    "Time by part of the loop: publish, wait (for rollouts), update, evaluate, checkpoint.",
    "part",
  ),
  trainerReward: gauge("stagecraft_trainer_reward", "reward", "Mean score of the last update."),
  trainerKl: gauge(
    "stagecraft_trainer_kl_nats",
    "nats",
    "Mean KL to the reference, per answer, of the last update.",
  ),
  trainerClipFraction: gauge(
    "stagecraft_trainer_clip_fraction",
    "share",
    "Share of tokens whose ratio was clipped in the last update.",
  ),
  trainerLoss: gauge(
    "stagecraft_trainer_loss",
    "loss",
    "Loss of the last update, by part: policy, value.",
    "part",
  ),
  trainerStaleness: gauge(
    "stagecraft_trainer_staleness_versions",
    "versions",
    "Mean lag of the last update's tokens behind the trainer's weights.",
  ),
  trainerWeightVersion: gauge(
    "stagecraft_trainer_weight_version",
    "version",
    "Version of the weights published last.",
  ),
  busySeconds: counter(
    "stagecraft_busy_seconds_total",
    "seconds",
    "Time spent on tensor work; its rate is the busy share of policy, reward model and trainer.",
  ),
  engineTensors: gauge(
    "stagecraft_engine_tensors",
    "tensors",
    "Tensors alive in the process's thread of tensor work; steady from update to update.",
  ),
  engineMemory: gauge(
    "stagecraft_engine_buffer_bytes",
    "bytes",
    "Memory of the engine's buffers, by state: used, idle (kept for reuse).",
    "state",
  ),
  notServing: gauge(
    "stagecraft_not_serving",
    "reasons",
    "1 for each reason why the process's health is NOT_SERVING; none while it serves.",
    "reason",
  ),
  eventLoopLag: gauge(
    "stagecraft_event_loop_lag_seconds",
    "seconds",
    "99th percentile delay of the main loop since the last scrape.",
  ),
  residentMemory: gauge(
    "process_resident_memory_bytes",
    "bytes",
    "Memory of the process, tensors included.",
  ),
  heapUsed: gauge("process_heap_used_bytes", "bytes", "JavaScript heap in use."),
  heapSize: gauge(
    "process_heap_size_bytes",
    "bytes",
    "JavaScript heap and the buffers that it holds, garbage and room included, by thread: main, worker.",
    "thread",
  ),
  heapLive: gauge(
    "process_heap_live_bytes",
    "bytes",
    "The same without garbage, right after the last full collection (at first: at the start); what grows here is kept by somebody.",
    "thread",
  ),
  cpuSeconds: counter(
    "process_cpu_seconds_total",
    "seconds",
    "Processor time of the process, all threads, user and system.",
  ),
  startTime: gauge(
    "process_start_time_seconds",
    "seconds",
    "When the process started, since the epoch.",
  ),
} as const;

/** The registry as a Markdown table, in the order of definition. */
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
