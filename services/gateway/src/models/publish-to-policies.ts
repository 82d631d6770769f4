import { setTimeout as delay } from "node:timers/promises";
import { isWorking, type TrainerClient } from "@stagecraft/client";
import { trainer } from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";
import type { RegisteredVersion } from "@stagecraft/registry";

export interface PublishOptions {
  client: Pick<TrainerClient, "createRun" | "getRun" | "cancelRun">;
  /** Longest wait for the trainer to begin; default 60 s. */
  timeoutMs?: number;
  /** For it to bring the model from its store and to publish it; default 10 minutes. */
  publishMs?: number;
  /** Between looks; default 200 ms. */
  everyMs?: number;
}

/**
 * Has the trainer's policies serve a version from now on: its run `publish-NAME`. Throws
 * `failed_precondition`, saying that registry and policies differ, when the trainer cannot: it works on another
 * run, whose weights the policies follow, or may not read the directory.
 */
export async function publishToPolicies(
  version: Pick<RegisteredVersion, "name" | "version" | "path">,
  { client, timeoutMs = 60_000, publishMs = 600_000, everyMs = 200 }: PublishOptions,
): Promise<void> {
  const { name, version: number, path } = version;
  const runId = `publish-${name}`.replace(/[^A-Za-z0-9_-]/g, "_").slice(0, 48);
  try {
    const config = { model: path };
    await client.createRun({
      runId,
      stage: "publish",
      config,
      overwrite: true,
      resume: false,
      runDir: runId,
    });
    await untilPublished(runId, { client, everyMs, timeoutMs, publishMs });
  } catch (thrown) {
    const { reason } = StagecraftError.from(thrown);
    throw new StagecraftError(
      "failed_precondition",
      `${name}@${number} is the version in use by the registry, but the policies do not serve it: ${reason}; promote it again when that is mended, or roll back`,
      { cause: thrown },
    );
  }
}

async function untilPublished(
  runId: string,
  { client, everyMs, timeoutMs, publishMs }: Required<PublishOptions>,
): Promise<void> {
  const begun = performance.now();
  for (;;) {
    const { run } = await client.getRun({ runId });
    const state = run?.state ?? trainer.RunState.UNSPECIFIED;
    if (state === trainer.RunState.SUCCEEDED) return;
    if (!isWorking(state))
      throw new StagecraftError("internal", run?.error?.message ?? "the run ended");
    const limitMs = state === trainer.RunState.PENDING ? timeoutMs : timeoutMs + publishMs;
    if (performance.now() - begun > limitMs) {
      await client.cancelRun({ runId }).catch(() => undefined);
      throw busy(state);
    }
    await delay(everyMs);
  }
}

function busy(state: trainer.RunState): StagecraftError {
  const waits = state === trainer.RunState.PENDING;
  const why = waits
    ? "the trainer works on another run, and the policies follow that one; wait for its end or pause it"
    : "the trainer did not end publishing in time";
  return new StagecraftError("unavailable", why);
}
