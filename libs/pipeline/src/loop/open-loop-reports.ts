import type { StageReporter } from "@stagecraft/runs";
import { createFeedbackClient } from "./feedback-client.js";
import type { LoopConfig } from "./loop-config.js";
import { createLoopReports, loopName, noReports, type LoopReports } from "./loop-reports.js";

/** A service that is away is not waited for: what the loop does next is told again. */
const TELL_MS = 5000;

/** Reports to the feedback service, where that is who ranks; elsewhere nobody asks. */
export async function openLoopReports(
  config: LoopConfig,
  { runDir, reporter }: { runDir: string; reporter: StageReporter },
): Promise<LoopReports> {
  if (config.ranker !== "feedback") return noReports;
  const client = await createFeedbackClient(config);
  const send = (report: Parameters<typeof client.reportLoop>[0]) =>
    client.reportLoop(report, { timeoutMs: TELL_MS });
  const reports = createLoopReports(loopName(runDir), send, reporter);
  const close = () => reports.close().finally(() => client.close());
  return { ...reports, close };
}
