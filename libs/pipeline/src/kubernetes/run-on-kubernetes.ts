import { setTimeout as delay } from "node:timers/promises";
import { StagecraftError } from "@stagecraft/core";
import type { StageReporter } from "@stagecraft/runs";
import { followJob } from "./follow-job.js";
import { lookAtJobs, type JobStep } from "./job-step.js";
import type { KubeClient } from "./kube-client.js";
import {
  jobsPath,
  pipelineConfigMap,
  stageJob,
  type JobStage,
  type KubeObject,
  type PipelineJobsOptions,
} from "./pipeline-jobs.js";

export interface RunOnKubernetesOptions extends PipelineJobsOptions {
  client: KubeClient;
  /** In their order. */
  stages: readonly JobStage[];
  reporter: Pick<StageReporter, "info" | "warn">;
  signal: AbortSignal;
  /** Between looks; default 2 s. */
  everyMs?: number;
}

/** Everything that a run makes in the cluster, in its order. */
export function kubernetesObjects(
  stages: readonly JobStage[],
  options: PipelineJobsOptions,
): KubeObject[] {
  const jobs = stages.map(({ id }) => {
    const rerun = options.again.has(id) ? options.rerunId : undefined;
    return stageJob(id, { ...options, rerun });
  });
  return [pipelineConfigMap(options), ...jobs];
}

/**
 * Runs the stages as Jobs, one after another. A Job that is there and was made from the same is joined, or
 * passed over when it is complete; one that has failed, or was made from something else, is replaced. What
 * cannot be done beside a Job that works is refused before anything is changed. The signal ends the Job that
 * works, whose stage writes a checkpoint, and throws `cancelled`.
 */
export async function runOnKubernetes(options: RunOnKubernetesOptions): Promise<void> {
  const { client, namespace, stages, reporter, signal } = options;
  await lookAtJobs(stages, options);
  await apply(client, `/api/v1/namespaces/${namespace}/configmaps`, pipelineConfigMap(options));
  for (const i of stages.keys()) {
    // Once more: somebody else's command may have made it meanwhile.
    const step = (await lookAtJobs(stages.slice(0, i + 1), options))[i]!;
    const { stage, job } = step;
    const place = `stage ${i + 1} of ${stages.length}`;
    if (step.does === "pass over") {
      reporter.info(`${stage} (${place}): Job ${job} is complete already`);
      continue;
    }
    if (step.does === "make") await make(options, step);
    reporter.info(`${stage} (${place}): Job ${job}`);
    try {
      await followJob({ ...options, job });
    } catch (thrown) {
      if (signal.aborted) await cancel(options, job);
      throw thrown;
    }
  }
}

async function make(options: RunOnKubernetesOptions, { job, why, wanted }: JobStep): Promise<void> {
  const { client, namespace, reporter } = options;
  if (why !== undefined) {
    reporter.info(`Job ${job} is made anew: ${why}`);
    await remove(options, job);
  }
  await client.send("POST", jobsPath(namespace), wanted);
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
