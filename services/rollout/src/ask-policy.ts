import type { PolicyClient, PolicyText } from "./grpc-ports.js";

export interface AskPolicyOptions {
  /** The policy must answer within this. */
  timeoutMs: number;
  /** Called each time that this has passed without an answer; default 10 s. */
  sayEveryMs?: number;
  onWaiting(): void;
}

/** What a worker has to know of the policy before its first task; waits for a policy that is not up yet, and says so. */
export async function askPolicy(
  client: Pick<PolicyClient, "getModelInfo">,
  { timeoutMs, sayEveryMs = 10_000, onWaiting }: AskPolicyOptions,
): Promise<{ endIds: number[]; text: PolicyText }> {
  const saying = setInterval(onWaiting, sayEveryMs);
  try {
    const { info } = await client.getModelInfo({ model: "" }, { timeoutMs });
    const { ends = [], eos } = info?.specialTokens ?? {};
    // A policy server of an earlier version says only its eos.
    const endIds = ends.length > 0 || eos === undefined ? ends : [eos];
    const { tokenizerFingerprint = "", chatFingerprint = "" } = info ?? {};
    return { endIds, text: { tokenizerFingerprint, chatFingerprint } };
  } finally {
    clearInterval(saying);
  }
}
