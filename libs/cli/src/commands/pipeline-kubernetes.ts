import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { Option, type Command } from "commander";
import { UsageError, yamlText } from "@stagecraft/config";
import {
  checkJobName,
  createKubeClient,
  kubernetesObjects,
  readKubeAccess,
  runOnKubernetes,
  TLS_FOLDER,
  withDependents,
  type JobSecret,
  type JobVolume,
  type PipelineFile,
  type PipelineJobsOptions,
  type PlannedStage,
} from "@stagecraft/pipeline";
import type { CommandScope } from "../app/command.js";
import { wholeNumberFlag } from "./cluster-flags.js";

/** The flags of `pipeline run --kubernetes`. */
export interface KubernetesFlags {
  kubernetes?: boolean;
  kubeconfig?: string;
  context?: string;
  namespace?: string;
  name?: string;
  image: string;
  volume: string[];
  cpu: string;
  memory: string;
  gpus: number;
  queue?: string;
  envSecret?: string;
  tlsSecret?: string;
  secret: string[];
  serviceAccount?: string;
}

const VOLUMES = ["data-trainer-0:/data"];

/** What `--kubernetes` needs to know. */
export function addKubernetesFlags(command: Command): Command {
  return command
    .option("--kubernetes", "run the stages as Jobs of a Kubernetes cluster")
    .option(
      "--kubeconfig <file>",
      "how it is reached (default: KUBECONFIG, ~/.kube/config, or the pod's own)",
    )
    .option("--context <name>", "context of that file (default: its current one)")
    .option("--namespace <name>", "namespace of the Jobs (default: the context's, or stagecraft)")
    .option("--name <name>", "name of the Jobs, NAME-STAGE (default: that of the run directory)")
    .option("--image <image>", "image with the command", "stagecraft/cli:0.1.0")
    .option(
      "--volume <claim:path...>",
      "claims that the Jobs mount, CLAIM:PATH or CLAIM:PATH:ro",
      VOLUMES,
    )
    .option("--cpu <n>", "processors that a Job asks for", "4")
    .option("--memory <size>", "memory of a Job", "8Gi")
    .addOption(wholeNumberFlag("--gpus", "GPUs of a Job (nvidia.com/gpu)", 0))
    .option("--queue <name>", "Kueue's queue (LocalQueue) that admits the Jobs")
    .option(
      "--env-secret <name>",
      "secret whose entries become variables, such as STAGECRAFT_S3_ENDPOINT",
    )
    .option(
      "--tls-secret <name>",
      `secret with ca.crt, tls.crt, tls.key: the broker by TLS; files for stages in ${TLS_FOLDER}`,
    )
    .option("--secret <name:path...>", "secrets that the Jobs mount as files, NAME:PATH", [])
    .addOption(
      new Option("--service-account <name>", "account of the pods (default: the namespace's)"),
    );
}

interface Asked {
  path: string;
  file: PipelineFile;
  plan: readonly PlannedStage[];
  flags: KubernetesFlags & {
    run?: string;
    set?: string[];
    rerun?: string[];
    rerunId?: string;
    pushModels?: string;
    json?: boolean;
    dryRun?: boolean;
  };
}

/** Runs a planned pipeline in the cluster, or prints what would be made there. */
export async function runAsJobs(asked: Asked, scope: CommandScope): Promise<void> {
  const { plan, flags, file } = asked;
  if (flags.dryRun) {
    const objects = kubernetesObjects(plan, await jobsOptions(asked, undefined));
    scope.io.out.write(objects.map((object) => `---\n${yamlText(object)}`).join(""));
    return;
  }
  const access = await readKubeAccess(flags);
  const options = await jobsOptions(asked, access.namespace);
  const reporter = scope.createReporter({ json: flags.json === true });
  try {
    const client = createKubeClient(access);
    await runOnKubernetes({ ...options, client, stages: plan, reporter, signal: scope.signal });
    const { name, namespace, runDir } = options;
    const stages = plan.map(({ id }) => id);
    const record = { pipeline: file.name, name, namespace, run: runDir, stages };
    reporter.result(record, `${file.name}: done, ${stages.length} stages in ${runDir}`);
  } finally {
    reporter.close();
  }
}

async function jobsOptions(
  { path, file, plan, flags }: Asked,
  namespace: string | undefined,
): Promise<PipelineJobsOptions> {
  const name = flags.name ?? basename(flags.run ?? file.run);
  checkJobName(name);
  return {
    ...flags,
    name,
    namespace: flags.namespace ?? namespace ?? "stagecraft",
    fileText: await readFile(path, "utf8"),
    settings: flags.set ?? [],
    runDir: flags.run ?? `/data/runs/${name}`,
    again: withDependents(plan, flags.rerun ?? []),
    rerunId: flags.rerunId ?? new Date().toISOString(),
    volumes: flags.volume.map(readVolume),
    secrets: flags.secret.map(readSecret),
  };
}

function readSecret(text: string): JobSecret {
  const [, secret, path] = /^([a-z0-9.-]+):(\/[^:]*)$/.exec(text) ?? [];
  if (secret !== undefined && path !== undefined) return { secret, path };
  throw new UsageError(
    `--secret ${text}: expected NAME:PATH, such as stagecraft-access:/etc/stagecraft-access`,
  );
}

function readVolume(text: string): JobVolume {
  const [, claim, path, readOnly] = /^([a-z0-9.-]+):(\/[^:]*)(:ro)?$/.exec(text) ?? [];
  if (claim !== undefined && path !== undefined)
    return { claim, path, readOnly: readOnly !== undefined };
  throw new UsageError(
    `--volume ${text}: expected CLAIM:PATH or CLAIM:PATH:ro, such as texts:/texts:ro`,
  );
}
