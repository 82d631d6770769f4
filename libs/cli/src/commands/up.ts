import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import type { CommandScope } from "../app/command.js";
import { UsageError } from "@stagecraft/config";
import {
  clusterLayout,
  type ClusterOptions,
  createView,
  detachCluster,
  runCluster,
  type ServiceName,
  SERVICES,
} from "@stagecraft/cluster";
import {
  addClusterFlags,
  clusterDirOf,
  wholeNumberFlag,
  type ClusterFlags,
} from "./cluster-flags.js";
import { examplesText } from "./stage-command.js";
import { engineSettings, type EngineSettings } from "@stagecraft/fields";
import { addEngineFlags } from "../flags/model-flags.js";

interface UpFlags extends ClusterFlags, EngineSettings {
  from: string;
  policyModel?: string;
  rewardModel?: string;
  rewardModels: string[];
  policies: number;
  rewards: number;
  rollouts: number;
  gateway: boolean;
  pagesPort: number;
  runs: string;
  read: string[];
  portBase: number;
  graceMs: number;
  logMaxMib: number;
  logKeep: number;
  set: string[];
  detach?: boolean;
  json?: boolean;
}

const EXAMPLES = [
  "npm run up",
  "npx stagecraft up --policy-model runs/sft/model --reward-model runs/reward/model --rollouts 16",
  "npx stagecraft up --detach --name second --set rollout.concurrency=8",
];

/** `stagecraft up`: every service as a process of this machine, supervised, with a status screen. */
export function upCommand(command: Command, scope: CommandScope): void {
  addClusterFlags(command)
    .option(
      "--from <dir>",
      "runs whose sft/model and reward/model are served",
      join("runs", "demo"),
    )
    .option("--policy-model <dir>", "model that PPO starts from (default: sft/model of --from)")
    .option("--reward-model <dir>", "model that scores (default: reward/model of --from)")
    .option("--reward-models <name=dir...>", "further reward models, logged under their names", [])
    .addOption(wholeNumberFlag("--policies", "policy processes", 2, { min: 1 }))
    .addOption(wholeNumberFlag("--rewards", "reward-model processes", 1, { min: 1 }))
    .addOption(wholeNumberFlag("--rollouts", "rollout processes", 8, { min: 1 }))
    .option("--no-gateway", "no pages for people and no API for programs")
    .addOption(wholeNumberFlag("--pages-port", "port of the pages; 0 = a free one", 0));
  addEngineFlags(command, { threads: "tensor threads of a process" })
    .option("--runs <dir>", "folder of the trainer's runs", "runs")
    .option(
      "--read <dir...>",
      "folders whose files runs may name, beside runs and models (default: this one)",
      ["."],
    )
    .addOption(wholeNumberFlag("--port-base", "first of the ports; 0 = free ones", 0))
    .addOption(wholeNumberFlag("--grace-ms", "time for a process to finish what it has", 30_000))
    .addOption(
      wholeNumberFlag("--log-max-mib", "size from which a log is rotated, MiB", 64, { min: 1 }),
    )
    .addOption(wholeNumberFlag("--log-keep", "rotated logs that stay of each process", 3))
    .option("--set <service.field=value...>", "a setting of a service, as in its README", [])
    .option("--detach", "go on in the background; `status` and `down` find it")
    .option("--json", "print NDJSON: what happens to processes, and the status")
    .addHelpText("after", examplesText(EXAMPLES))
    .action((flags: UpFlags) => up(flags, scope));
}

async function up(flags: UpFlags, { io, signal }: CommandScope): Promise<void> {
  const options = optionsOf(flags);
  if (flags.detach) {
    const layout = clusterLayout(options.dir);
    const status = await detachCluster(layout, { io, signal });
    const { pages } = status.addresses;
    const where =
      pages === ""
        ? ""
        : `; pages: ${pages} (the first sign-in link is in ${layout.logOf("gateway")})`;
    const text = `cluster ${status.deployment} is up: ${status.processes.length} processes; \`npx stagecraft status\` shows it, \`npx stagecraft down\` ends it${where}`;
    io.out.write(`${flags.json ? JSON.stringify(status) : text}\n`);
    return;
  }
  await runCluster({ ...options, signal }, createView(io, flags.json === true));
}

function optionsOf(flags: UpFlags): ClusterOptions {
  const { policies, rewards, rollouts, gateway, pagesPort } = flags;
  const { portBase, graceMs, rewardModels } = flags;
  return {
    dir: clusterDirOf(flags),
    ...modelsOf(flags),
    ...{ policies, rewards, rollouts, gateway, pagesPort },
    ...{ ...engineSettings(flags), portBase, graceMs, rewardModels },
    runsDir: flags.runs,
    readDirs: flags.read,
    deployment: flags.name,
    logMaxBytes: flags.logMaxMib * 1024 * 1024,
    logKeep: flags.logKeep,
    flags: serviceFlags(flags.set),
  };
}

function modelsOf({ from, policyModel, rewardModel }: UpFlags) {
  const models = {
    policyModelDir: policyModel ?? join(from, "sft", "model"),
    rewardModelDir: rewardModel ?? join(from, "reward", "model"),
  };
  const missing = Object.values(models).filter((dir) => !existsSync(join(dir, "config.json")));
  if (missing.length === 0) return models;
  throw new UsageError(
    `no model in ${missing.join(" and ")}: run \`npm run demo\` first (it trains both in minutes), ` +
      "or name models with --policy-model DIR --reward-model DIR, or runs that have them with --from DIR",
  );
}

/** `rollout.concurrency=8` → `{ rollout: { concurrency: "8" } }`. */
function serviceFlags(settings: readonly string[]): NonNullable<ClusterOptions["flags"]> {
  const flags: Partial<Record<ServiceName, Record<string, string>>> = {};
  for (const setting of settings) {
    const [, name, field, value] = /^([a-z-]+)\.([A-Za-z-]+)=(.*)$/.exec(setting) ?? [];
    const service = SERVICES.find((each) => each === name);
    if (service === undefined || field === undefined || value === undefined) {
      throw new UsageError(
        `--set ${setting}: expected SERVICE.FIELD=VALUE with a service of ${SERVICES.join(", ")}`,
      );
    }
    flags[service] = { ...flags[service], [field]: value };
  }
  return flags;
}
