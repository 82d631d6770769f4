import { StagecraftError } from "@stagecraft/core";
import { outcomeOf, type JobObject } from "./follow-job.js";
import type { KubeClient } from "./kube-client.js";
import {
  FINGERPRINT,
  jobsPath,
  RERUN,
  stageJob,
  type JobStage,
  type KubeObject,
  type PipelineJobsOptions,
} from "./pipeline-jobs.js";

/** What becomes of a stage in the cluster as it is now. */
export interface JobStep {
  stage: string;
  /** The Job's name. */
  job: string;
  does: "pass over" | "join" | "make";
  /** Why a Job that is there is made anew. */
  why?: string;
  /** The Job as it is made. */
  wanted: KubeObject;
  /** Id of the rerun that the stage belongs to, if it was ever one. */
  rerun: string | undefined;
}

/**
 * Looks at every Job before anything is changed. A stage that uses one which was rerun since is rerun as well,
 * by the same id. Throws `failed_precondition` where a Job works that cannot be joined: it was made from
 * something else, or what it uses would be made under its hands.
 */
export async function lookAtJobs(
  stages: readonly JobStage[],
  options: PipelineJobsOptions & { client: KubeClient },
): Promise<JobStep[]> {
  const steps: JobStep[] = [];
  for (const stage of stages) {
    const { client, name, namespace } = options;
    const present = await client.get<JobObject>(`${jobsPath(namespace)}/${name}-${stage.id}`);
    steps.push(stepOf(stage, present, { ...options, before: steps }));
  }
  return steps;
}

function stepOf(
  { id: stage, uses }: JobStage,
  present: JobObject | undefined,
  { before, ...options }: PipelineJobsOptions & { before: readonly JobStep[] },
): JobStep {
  const { again, rerunId, name } = options;
  const { [FINGERPRINT]: madeFrom, [RERUN]: own } = present?.metadata?.annotations ?? {};
  const used = before.filter((step) => uses.includes(step.stage)).map(({ rerun }) => rerun);
  const rerun = again.has(stage) ? rerunId : newest([own, ...used]);
  const step = { stage, job: `${name}-${stage}`, rerun };
  const wanted = stageJob(stage, { ...options, rerun });
  const isSame = madeFrom === annotationsOf(wanted)[FINGERPRINT];
  const outcome = present && outcomeOf(present);
  if (outcome === "active") {
    refuseUnlessJoined(step.job, {
      isSame,
      isAgain: again.has(stage) && own === undefined,
      before,
    });
    return { ...step, does: "join", wanted, rerun: own };
  }
  if (outcome === "complete" && isSame && rerun === own) {
    return { ...step, does: "pass over", wanted };
  }
  if (!present) return { ...step, does: "make", wanted };
  return { ...step, does: "make", wanted, why: whyAnew(outcome === "failed", isSame) };
}

function refuseUnlessJoined(
  job: string,
  { isSame, isAgain, before }: { isSame: boolean; isAgain: boolean; before: readonly JobStep[] },
): void {
  const refuse = (why: string) => {
    throw new StagecraftError("failed_precondition", `Job ${job} is working${why}`);
  };
  const advice = "wait for its end, or delete it";
  if (!isSame) refuse(` on another version of this pipeline; ${advice}, or choose another --name`);
  if (isAgain) refuse(`, and not by --rerun; ${advice}`);
  const made = before.find(({ does }) => does === "make");
  if (!made) return;
  const hint = made.why === RERUNS ? "; without --rerun this command follows it" : "";
  refuse(`, and ${made.job} would be made before it; ${advice}${hint}`);
}

const RERUNS = "it is done again";

function whyAnew(hasFailed: boolean, isSame: boolean): string {
  if (hasFailed) return "it had failed";
  return isSame ? RERUNS : "it is of before";
}

/** Ids of reruns are their times. */
function newest(ids: readonly (string | undefined)[]): string | undefined {
  const known = ids.filter((id) => id !== undefined);
  return known.sort().at(-1);
}

function annotationsOf(object: KubeObject): Record<string, string> {
  return (object["metadata"] as { annotations: Record<string, string> }).annotations;
}
