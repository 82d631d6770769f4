/** What a caller may be allowed to do; `admin` may do everything. */
export const ROLES = [
  "observe",
  "generate",
  "score",
  "load-weights",
  "run",
  "operate",
  "rank",
  "feedback",
  "admin",
] as const;

export type Role = (typeof ROLES)[number];

/** What an RPC asks of its caller. */
export interface MethodAccess {
  /** One of these roles, or `admin`. */
  roles: readonly Role[];
  /** For calls that change something: what the audit log keeps of the request, never a secret. */
  audit?: (request: Readonly<Record<string, unknown>>) => Record<string, unknown>;
}

const anything = (...roles: Role[]): MethodAccess => ({ roles });
const audited = (role: Role, ...fields: string[]): MethodAccess => ({
  roles: [role],
  audit: (request) => Object.fromEntries(fields.map((field) => [field, brief(request[field])])),
});

const feedback = "/stagecraft.feedback.v1.FeedbackService/";
const policy = "/stagecraft.policy.v1.PolicyService/";
const reward = "/stagecraft.reward.v1.RewardService/";
const rollout = "/stagecraft.rollout.v1.RolloutService/";
const trainer = "/stagecraft.trainer.v1.TrainerService/";

/**
 * Every RPC and who may call it; docs/security.md shows this table. A method that is not here asks for
 * `admin`. Health answers everybody.
 */
export const METHOD_ACCESS: Readonly<Record<string, MethodAccess>> = {
  [`${policy}Generate`]: anything("generate"),
  [`${policy}GenerateBatch`]: anything("generate"),
  [`${policy}ScoreLogProbs`]: anything("generate"),
  [`${policy}GetModelInfo`]: anything("observe", "generate", "load-weights"),
  [`${policy}GetStatus`]: anything("observe", "generate", "load-weights"),
  [`${policy}LoadWeights`]: audited("load-weights", "weights", "allowRollback"),
  [`${reward}ScoreBatch`]: anything("score"),
  [`${reward}ScoreStream`]: anything("score"),
  [`${reward}GetModelInfo`]: anything("observe", "score"),
  [`${reward}ListModels`]: anything("observe", "score"),
  [`${rollout}GetStatus`]: anything("observe", "operate"),
  [`${rollout}Drain`]: audited("operate"),
  [`${rollout}Resume`]: audited("operate"),
  [`${rollout}SetConcurrency`]: audited("operate", "concurrency"),
  [`${trainer}CreateRun`]: audited("run", "runId", "stage", "runDir", "resume", "overwrite"),
  [`${trainer}GetRun`]: anything("observe", "run"),
  [`${trainer}ListRuns`]: anything("observe", "run"),
  [`${trainer}WatchRun`]: anything("observe", "run"),
  [`${trainer}ListStages`]: anything("observe", "run"),
  [`${trainer}PauseRun`]: audited("run", "runId"),
  [`${trainer}ResumeRun`]: audited("run", "runId"),
  [`${trainer}CancelRun`]: audited("run", "runId"),
  [`${feedback}AddComparisons`]: audited("feedback"),
  [`${feedback}ListComparisons`]: anything("rank", "feedback"),
  [`${feedback}SubmitRanking`]: anything("rank", "feedback"),
  [`${feedback}SubmitDemonstration`]: anything("rank", "feedback"),
  [`${feedback}SubmitFlag`]: anything("rank", "feedback"),
  [`${feedback}ListFeedback`]: anything("feedback"),
  [`${feedback}NextAssignment`]: anything("rank", "feedback"),
  [`${feedback}SkipAssignment`]: anything("rank", "feedback"),
  [`${feedback}WithdrawComparisons`]: audited("feedback", "comparisonIds", "batch"),
  [`${feedback}SetGold`]: audited("feedback", "comparisonId"),
  [`${feedback}GetQueueStatus`]: anything("rank", "feedback"),
  [`${feedback}ListDemonstrations`]: anything("feedback"),
  [`${feedback}ListFlags`]: anything("feedback"),
  [`${feedback}ReportLoop`]: anything("feedback"),
};

/** See METHOD_ACCESS. */
export function accessOf(method: string): MethodAccess {
  return Object.hasOwn(METHOD_ACCESS, method) ? METHOD_ACCESS[method]! : anything("admin");
}

/** METHOD_ACCESS as a Markdown table, for docs/security.md. */
export function accessTable(): string {
  const rows = Object.entries(METHOD_ACCESS).map(([path, { roles, audit }]) => {
    const [, service = "", method = ""] = path.split("/");
    const name = `\`${service.split(".").at(-1)}/${method}\``;
    return `| ${name} | ${roles.map((role) => `\`${role}\``).join(", ")} | ${audit ? "yes" : ""} |`;
  });
  return ["| RPC | one of these roles, or `admin` | audited |", "|---|---|---|", ...rows].join(
    "\n",
  );
}

/** Short: a log line is no place for a foreign text. */
function brief(value: unknown): unknown {
  if (typeof value === "string") return value.slice(0, 256);
  if (typeof value === "number" || typeof value === "boolean" || value === undefined) return value;
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === "bigint" ? Number(inner) : inner,
  ).slice(0, 256);
}
