import { setTimeout as delay } from "node:timers/promises";
import { StagecraftError } from "@stagecraft/core";
import type { StageReporter } from "@stagecraft/runs";
import type { KubeClient } from "./kube-client.js";

export interface JobObject {
  metadata?: { annotations?: Record<string, string> };
  status?: { conditions?: Condition[] };
}

interface Condition {
  type: string;
  status: string;
  reason?: string;
  message?: string;
}

interface PodObject {
  metadata: { name: string };
  status?: {
    phase?: string;
    conditions?: Condition[];
    containerStatuses?: {
      state?: {
        waiting?: { reason?: string; message?: string };
        terminated?: { exitCode?: number; reason?: string };
      };
    }[];
  };
}

export interface FollowOptions {
  client: KubeClient;
  namespace: string;
  job: string;
  reporter: Pick<StageReporter, "info" | "warn">;
  signal: AbortSignal;
  /** Between looks; default 2 s. */
  everyMs?: number;
}

/** How the Job is, told to nobody. */
export function outcomeOf({ status }: JobObject): "complete" | "failed" | "active" {
  const is = (type: string) =>
    status?.conditions?.some((each) => each.type === type && each.status === "True") === true;
  if (is("Complete")) return "complete";
  return is("Failed") ? "failed" : "active";
}

/**
 * Follows a Job to its end: the log of each of its pods, and what a pod waits for. Resolves when it is
 * complete; throws `failed_precondition` with what the cluster says when it has failed. An API server that is
 * away is waited for: the Job goes on without us.
 */
export async function followJob(options: FollowOptions): Promise<void> {
  const { client, namespace, job, reporter, signal, everyMs = 2000 } = options;
  const path = `/apis/batch/v1/namespaces/${namespace}/jobs/${job}`;
  const logs = createLogs(options);
  let told = "";
  const tell = (text: string) => {
    if (text !== told && text !== "") reporter.info(text);
    told = text;
  };
  for (;;) {
    const looked = await look(client, { path, namespace, job, signal }).catch((thrown: unknown) => {
      const { code, reason } = StagecraftError.from(thrown);
      if (code !== "unavailable") throw thrown;
      tell(`${reason}; waiting for it`);
      return undefined;
    });
    if (looked) {
      if (!looked.job) throw gone(job);
      for (const pod of looked.pods) await logs.follow(pod);
      const outcome = outcomeOf(looked.job);
      if (outcome === "complete") return;
      if (outcome === "failed") throw failed(job, looked.job, looked.pods);
      tell(waitsFor(job, looked.job, looked.pods));
    }
    await delay(everyMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) throw new StagecraftError("cancelled", "stopped on request");
  }
}

async function look(
  client: KubeClient,
  {
    path,
    namespace,
    job,
    signal,
  }: { path: string; namespace: string; job: string; signal: AbortSignal },
) {
  const selector = encodeURIComponent(`batch.kubernetes.io/job-name=${job}`);
  const list = await client.get<{ items: PodObject[] }>(
    `/api/v1/namespaces/${namespace}/pods?labelSelector=${selector}`,
    signal,
  );
  // The Job after its pods: an end that is seen has all of its pods in the list.
  return { pods: list?.items ?? [], job: await client.get<JobObject>(path, signal) };
}

/** Every line of every pod, once. */
function createLogs({ client, namespace, reporter, signal }: FollowOptions) {
  const seen = new Map<string, { last: string; ended: boolean }>();
  return {
    async follow({ metadata: { name }, status }: PodObject): Promise<void> {
      if (status?.phase === undefined || status.phase === "Pending") return;
      const state = seen.get(name) ?? { last: "", ended: false };
      seen.set(name, state);
      if (state.ended) return;
      const since = state.last === "" ? "" : `&sinceTime=${encodeURIComponent(state.last)}`;
      const query = `container=stage&follow=true&timestamps=true${since}`;
      try {
        for await (const line of client.lines(
          `/api/v1/namespaces/${namespace}/pods/${name}/log?${query}`,
          signal,
        )) {
          const at = line.indexOf(" ");
          const time = line.slice(0, at);
          if (time <= state.last) continue; // the server's sinceTime counts whole seconds
          state.last = time;
          reporter.info(line.slice(at + 1));
        }
        state.ended = status.phase !== "Running";
      } catch (thrown) {
        if (signal.aborted) return;
        // Cut off, or not there yet or any more: the next look asks again.
        if (status.phase !== "Running")
          state.ended = StagecraftError.from(thrown).code !== "unavailable";
      }
    },
  };
}

function waitsFor(name: string, job: JobObject, pods: readonly PodObject[]): string {
  const suspended = job.status?.conditions?.find(
    ({ type, status }) => type === "Suspended" && status === "True",
  );
  if (suspended) return `${name} waits in its queue: ${suspended.message ?? "suspended"}`;
  const pod = pods.find(({ status }) => status?.phase === "Pending");
  if (!pod) return "";
  const unschedulable = pod.status?.conditions?.find(
    ({ type, status }) => type === "PodScheduled" && status === "False",
  );
  const waiting = pod.status?.containerStatuses?.[0]?.state?.waiting;
  const why =
    unschedulable?.message ?? [waiting?.reason, waiting?.message].filter(Boolean).join(": ");
  return why === "" ? "" : `${pod.metadata.name} waits: ${why}`;
}

function failed(name: string, job: JobObject, pods: readonly PodObject[]): StagecraftError {
  const condition = job.status?.conditions?.find(({ type }) => type === "Failed");
  const ends = pods.flatMap(({ metadata, status }) => {
    const end = status?.containerStatuses?.[0]?.state?.terminated;
    return end
      ? [`${metadata.name} ended with ${end.exitCode} (${end.reason ?? "no reason"})`]
      : [];
  });
  const says = [condition?.message ?? condition?.reason ?? "no reason given", ...ends].join("; ");
  return new StagecraftError(
    "failed_precondition",
    `Job ${name} has failed: ${says}. Its log is above; the same command begins it again, and goes on where the run directory ends`,
    { details: { job: name } },
  );
}

function gone(name: string): StagecraftError {
  return new StagecraftError(
    "aborted",
    `Job ${name} was deleted meanwhile; the same command makes it again`,
  );
}
