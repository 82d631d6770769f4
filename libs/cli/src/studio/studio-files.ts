import { existsSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { atomicWriteFile } from "@stagecraft/checkpoint";
import { UsageError } from "@stagecraft/config";
import { ASSISTANT, findLoopState, REWARD } from "@stagecraft/pipeline";
import { openRegistry, type RegisteredVersion } from "@stagecraft/registry";

/** What a studio works with: the models of a folder of runs, and its own files there. */
export interface StudioFiles {
  /** Where the studio keeps its database and its loop. */
  dir: string;
  loopDir: string;
  /** The registry that knows which assistant answers. */
  registry: string;
  sftModel: string;
  rewardModel: string;
  /** What the first round starts from: the PPO model if there is one. */
  policy: string;
  /** Prompts that rounds draw from. */
  prompts: string;
  evalPrompts: string | undefined;
  rankings: string | undefined;
  heldOutRankings: string | undefined;
  ppoConfig: string;
  rewardConfig: string;
  /** What every SFT of the loop learns beside what people write. */
  demonstrations: string | undefined;
  sftConfig: string;
}

/** Finds everything in the runs, such as those of the demo; throws UsageError, naming what is missing. */
export async function findStudioFiles(from: string): Promise<StudioFiles> {
  const model = (stage: string) => join(from, stage, "model");
  const world = (name: string) => join(from, "world", "world", name);
  const required = [join(model("sft"), "config.json"), join(model("reward"), "config.json")];
  const prompts = world("prompts-train.jsonl");
  const missing = [...required, prompts].filter((path) => !existsSync(path));
  if (missing.length > 0) {
    throw new UsageError(
      `${from} has no ${missing.join(" and no ")}: run \`npm run demo\` first, or name its runs with --from DIR`,
    );
  }
  const ifThere = (path: string) => (existsSync(path) ? path : undefined);
  const dir = join(from, "studio");
  await mkdir(dir, { recursive: true });
  const ppoModel = ifThere(join(model("ppo"), "config.json")) && model("ppo");
  return {
    ...{ dir, loopDir: join(dir, "loop"), registry: join(dir, "models.json"), prompts },
    ...{ sftModel: model("sft"), rewardModel: model("reward"), policy: ppoModel ?? model("sft") },
    evalPrompts: ifThere(world("prompts-heldout.jsonl")),
    rankings: ifThere(join(from, "labelers", "rankings.jsonl")),
    heldOutRankings: ifThere(join(from, "labelers", "rankings-heldout.jsonl")),
    ppoConfig: await settingsOf(from, "ppo", dir),
    rewardConfig: await settingsOf(from, "reward", dir),
    demonstrations: ifThere(world("demonstrations.jsonl")),
    sftConfig: await settingsOf(from, "sft", dir),
  };
}

/** The settings of a stage that has run, as a file for the loop, which sets the rest itself. */
async function settingsOf(from: string, stage: string, dir: string): Promise<string> {
  const run = join(from, stage, "run.json");
  if (!existsSync(run)) return "";
  const { config } = JSON.parse(await readFile(run, "utf8")) as { config: object };
  const file = join(dir, `${stage}-settings.json`);
  await atomicWriteFile(file, `${JSON.stringify(config, null, 2)}\n`);
  return file;
}

/** A model that the studio serves. */
export interface Version {
  dir: string;
  name: string;
}

/** The assistant in use, and the one that was in use before it (at first: the SFT model), if there is one. */
export async function servedVersions({
  registry: file,
  policy,
  sftModel,
}: Pick<StudioFiles, "registry" | "policy" | "sftModel">): Promise<Version[]> {
  const registry = openRegistry(file);
  const used = (await registry.promotions(ASSISTANT)).map(({ version }) => version).reverse();
  const known = await registry.versions(ASSISTANT);
  const [current = { dir: policy, name: policyName(0) }, before] = [...new Set(used)].map(
    (number) => versionOf(known.find(({ version }) => version === number)!),
  );
  const first = { dir: sftModel, name: "assistant-sft" };
  const other = before ?? (resolve(current.dir) === resolve(sftModel) ? undefined : first);
  return [current, ...(other && existsSync(other.dir) ? [other] : [])];
}

function versionOf({ companions, path, version }: RegisteredVersion): Version {
  const round = companions?.["round"];
  return {
    dir: path,
    name: typeof round === "number" ? policyName(round) : `${ASSISTANT}-${version}`,
  };
}

/** A registry that does not know what the studio begins with learns it. */
export async function registerFirst(files: StudioFiles): Promise<void> {
  const registry = openRegistry(files.registry);
  const made = await findLoopState(files.loopDir);
  const models = { [ASSISTANT]: made?.policy ?? files.policy, [REWARD]: files.rewardModel };
  for (const [name, dir] of Object.entries(models)) {
    if (await registry.current(name)) continue;
    const { version } = await registry.add(name, dir, { note: "the studio began with it" });
    await registry.promote(name, version, { by: "stagecraft studio" });
  }
}

/** What the policy that a round has made is called, on the pages and with its answers. */
export function policyName(round: number): string {
  return round === 0 ? "assistant" : `assistant-round-${round}`;
}

/** Rounds that the loop has finished. */
export async function finishedRounds({ loopDir }: StudioFiles): Promise<number> {
  return (await findLoopState(loopDir))?.rounds.length ?? 0;
}
