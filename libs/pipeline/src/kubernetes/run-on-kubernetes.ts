import { setTimeout as delay } from "node:timers/promises";
import { StagecraftError } from "@stagecraft/core";
import type { StageReporter } from "@stagecraft/runs";
import { followJob, outcomeOf, type JobObject } from "./follow-job.js";
import type { KubeClient } from "./kube-client.js";
import {
  FINGERPRINT,
  pipelineConfigMap,
  stageJob,
  type KubeObject,
  type PipelineJobsOptions,
} from "./pipeline-jobs.js";

export interface RunOnKubernetesOptions extends PipelineJobsOptions {
  client: KubeClient;
  /** Ids in their order. */
  stages: readonly string[];
  reporter: Pick<StageReporter, "info" | "warn">;
  signal: AbortSignal;
  /** Between looks; default 2 s. */
  everyMs?: number;
}

/** Everything that a run makes in the cluster, in its order. */
export function kubernetesObjects(
  stages: readonly string[],
  options: PipelineJobsOptions,
): KubeObject[] {
  return [pipelineConfigMap(options), ...stages.map((stage) => stageJob(stage, options))];
}

/**
 * Runs the stages as Jobs, one after another. A Job that is there and was made from the same is joined, or
 * passed over when it is complete; one that has failed, or was made from something else, is replaced. The
 * signal ends the Job that works, whose stage writes a checkpoint, and throws `cancelled`.
 */
export async function runOnKubernetes(options: RunOnKubernetesOptions): Promise<void> {
  const { client, namespace, name, stages, reporter, signal } = options;
  await apply(client, `/api/v1/namespaces/${namespace}/configmaps`, pipelineConfigMap(options));
  for (const [i, stage] of stages.entries()) {
    const job = `${name}-${stage}`;
    const isDone = await ensureJob(stageJob(stage, options), { ...options, job, stage });
    const place = `stage ${i + 1} of ${stages.length}`;
    if (isDone) {
      reporter.info(`${stage} (${place}): Job ${job} is complete already`);
      continue;
    }
    reporter.info(`${stage} (${place}): Job ${job}`);
    try {
      await followJob({ ...options, job });
    } catch (thrown) {
      if (signal.aborted) await cancel(options, job);
      throw thrown;
    }
  }
}

const jobsPath = (namespace: string) => `/apis/batch/v1/namespaces/${namespace}/jobs`;

/** True when the Job has been done already. */
async function ensureJob(
  wanted: KubeObject,
  options: RunOnKubernetesOptions & { job: string; stage: string },
): Promise<boolean> {
  const { client, namespace, job, stage, again, reporter } = options;
  const path = `${jobsPath(namespace)}/${job}`;
  const present = await client.get<JobObject>(path);
  const { annotations } = wanted["metadata"] as { annotations: Record<string, string> };
  const isSame = present?.metadata?.annotations?.[FINGERPRINT] === annotations[FINGERPRINT];
  const outcome = present && outcomeOf(present);
  if (outcome === "active" && !isSame) {
    throw new StagecraftError(
      "failed_precondition",
      `Job ${job} is working on another version of this pipeline; wait for its end, delete it, or choose another --name`,
    );
  }
  if (outcome === "active") return false;
  if (outcome === "complete" && isSame && !again.has(stage)) return true;
  if (present) {
    reporter.info(
      `Job ${job} is made anew: ${outcome === "failed" ? "it had failed" : "it is of before"}`,
    );
    await remove(options, job);
  }
  await client.send("POST", jobsPath(namespace), wanted);
  return false;
}

/** Deletes a Job and waits until it and its pods are gone. */
async function remove({ client, namespace, everyMs = 2000 }: RunOnKubernetesOptions, job: string) {
  const path = `${jobsPath(namespace)}/${job}`;
  const options = { kind: "DeleteOptions", apiVersion: "v1", propagationPolicy: "Foreground" };
  await client.send("DELETE", path, options).catch((thrown: unknown) => {
    if (StagecraftError.from(thrown).code !== "not_found") throw thrown;
  });
  while (await client.get(path)) await delay(everyMs);
}

async function cancel(options: RunOnKubernetesOptions, job: string): Promise<void> {
  const { reporter } = options;
  reporter.info(`ending Job ${job}; its stage writes a checkpoint first`);
  await remove(options, job).catch((thrown: unknown) =>
    reporter.warn(`Job ${job} may go on: ${StagecraftError.from(thrown).reason}`),
  );
}

async function apply(client: KubeClient, path: string, object: KubeObject): Promise<void> {
  const { name } = object["metadata"] as { name: string };
  const present = await client.get(`${path}/${name}`);
  if (present) await client.send("PUT", `${path}/${name}`, object);
  else await client.send("POST", path, object);
}
