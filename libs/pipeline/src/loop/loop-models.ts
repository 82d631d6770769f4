/**
 * The loop's models in a registry: every round leaves a version of `assistant`, with what belongs to it, and
 * the one in use is what the next round starts from, whoever chose it.
 */
import { existsSync } from "node:fs";
import { readdir, readFile, rename } from "node:fs/promises";
import { basename, dirname, join, relative, resolve } from "node:path";
import { atomicWriteFile } from "@stagecraft/checkpoint";
import { StagecraftError, type JsonObject } from "@stagecraft/core";
import { openRegistry, type ModelRegistry, type RegisteredVersion } from "@stagecraft/registry";
import type { StageReporter } from "@stagecraft/runs";
import type { LoopModels, LoopState } from "./loop-state.js";
import { roundDir } from "./round-dir.js";

/** Names of the loop's models in its registry. */
export const ASSISTANT = "assistant";
export const REWARD = "reward";

const BY_LOOP = "stagecraft loop";
/** In a round's folder: what the round began with. */
const FROM_FILE = "from.json";

/** See the head of this file. */
export interface LoopRegistry {
  /** Registers what the rounds so far left; returns the state with the models that are in use. */
  settle(state: LoopState): Promise<LoopState>;
  /**
   * Begins a round: what an earlier attempt did from other models is set aside. Returns how often that
   * has happened to this round.
   */
  begin(state: LoopState, round: number): Promise<number>;
  /** Whether the models that the round began with are still those in use. */
  isStillCurrent(round: number): Promise<boolean>;
  /** Puts to use what round `to` left. Throws `not_found` when it has not finished. */
  rollBack(state: LoopState, to: number): Promise<LoopState>;
  /** How often a version was put to use. */
  numPromotions(): Promise<number>;
}

/** The registry of the loop in `runDir`; without a file of its own it is models.json there. */
export function openLoopModels(
  runDir: string,
  { registry: file = "", reporter }: { registry?: string; reporter?: Pick<StageReporter, "warn"> },
): LoopRegistry {
  const registry = openRegistry(file || join(runDir, "models.json"));
  const loop = relative(dirname(registry.file), resolve(runDir)) || ".";
  const own = async () =>
    (await registry.versions(ASSISTANT)).filter(({ companions }) => companions?.["loop"] === loop);
  const versionOf = async (round: number) => (await own()).find((each) => roundOf(each) === round);

  const told = new Set<number>();
  /** A model that somebody has deleted can be put to use no more; that is said once. */
  const notGone = (round: number) => (thrown: unknown) => {
    const error = StagecraftError.from(thrown);
    if (error.code !== "not_found") throw error;
    if (!told.has(round))
      reporter?.warn(`the model of round ${round} is not registered: ${error.reason}`);
    told.add(round);
  };

  const register = async (state: LoopState) => {
    const known = new Set((await own()).map(roundOf));
    const all = [state.start, ...state.rounds].entries();
    for (const [round, models] of [...all].filter(([number]) => !known.has(number))) {
      const companions: JsonObject = { loop, round, ...modelsIn(models) };
      const note = round === 0 ? "the loop began with it" : `round ${round}`;
      await registry.add(ASSISTANT, models.policy, { note, companions }).catch(notGone(round));
    }
    return known;
  };

  /** A round's result is put to use unless somebody chose another version meanwhile. */
  const promoteNew = async (state: LoopState, known: ReadonlySet<number>) => {
    const last = state.rounds.length;
    const current = await registry.current(ASSISTANT);
    if (known.has(last) || (last === 0 && current)) return;
    const from = await readFrom(runDir, last);
    const made = known.size === 0 ? await madeOf(state, await own()) : await versionOf(last);
    if (!made) return;
    if (!from || !current || current.version === from.version) {
      await registry.promote(ASSISTANT, made.version, { by: BY_LOOP });
    } else {
      reporter?.warn(
        `round ${last} left ${ASSISTANT}@${made.version}, which is not put to use: ${ASSISTANT}@${current.version} was chosen while it ran`,
      );
    }
  };

  const inUse = async (state: LoopState): Promise<LoopState> => {
    const current = await registry.current(ASSISTANT);
    if (!current) return state;
    const models = await currentModels(registry, { current, state });
    if (models.rewardModel === "") return { ...state, ...models };
    const reward = await registry.add(REWARD, models.rewardModel, {
      note: `with ${ASSISTANT}@${current.version}`,
      companions: { rewardModel: models.rewardModel },
    });
    if (!reward.isPromoted) await registry.promote(REWARD, reward.version, { by: BY_LOOP });
    return { ...state, ...models };
  };

  const settle = async (state: LoopState) => {
    await promoteNew(state, await register(state));
    return await inUse(state);
  };

  return {
    settle,
    async begin(state, round) {
      const dir = roundDir(runDir, round);
      const version = (await registry.current(ASSISTANT))?.version ?? 0;
      const from = { version, ...modelsIn(state) };
      const before = await readFrom(runDir, round);
      if (before && JSON.stringify(before) !== JSON.stringify(from)) await setAside(dir);
      if (!before || !existsSync(dir))
        await atomicWriteFile(join(dir, FROM_FILE), JSON.stringify(from));
      return await numAsides(dir);
    },
    async isStillCurrent(round) {
      const from = await readFrom(runDir, round);
      const current = await registry.current(ASSISTANT);
      return !from || !current || from.version === current.version;
    },
    async rollBack(state, to) {
      await settle(state);
      const version = await versionOf(to);
      if (!version) throw notFinished(state, to, runDir);
      await registry.rollBack(ASSISTANT, { by: `${BY_LOOP} --rollback`, to: version.version });
      const unfinished = roundDir(runDir, state.rounds.length + 1);
      if (existsSync(unfinished)) await setAside(unfinished);
      return await inUse(state);
    },
    numPromotions: async () => (await registry.promotions(ASSISTANT)).length,
  };
}

function roundOf({ companions }: RegisteredVersion): number {
  return Number(companions?.["round"]);
}

function modelsIn({ policy, reference, rewardModel, klCoef }: LoopModels) {
  return { policy, reference, rewardModel, klCoef };
}

/** The version with the models of a state that older versions wrote, which knew no registry. */
async function madeOf(state: LoopState, own: readonly RegisteredVersion[]) {
  const wanted = JSON.stringify(modelsIn(state));
  const modelsOf = ({ companions }: RegisteredVersion) =>
    JSON.stringify(modelsIn(companions as unknown as LoopModels));
  return own.findLast((each) => modelsOf(each) === wanted) ?? own.at(-1);
}

/** A version that the loop did not make comes with what is used now. */
async function currentModels(
  registry: ModelRegistry,
  { current, state }: { current: RegisteredVersion; state: LoopState },
): Promise<LoopModels> {
  const { companions } = current;
  const models =
    companions?.["policy"] === undefined
      ? { ...modelsIn(state), policy: current.path }
      : modelsIn(companions as unknown as LoopModels);
  const reward = await registry.current(REWARD);
  const chosen = (await registry.promotions(REWARD)).at(-1);
  const since = (await registry.promotions(ASSISTANT)).at(-1)?.at ?? "";
  if (!reward || !chosen || chosen.by === BY_LOOP || chosen.at < since) return models;
  // A person's choice, later than that of the assistant.
  const path = reward.companions?.["rewardModel"];
  return { ...models, rewardModel: typeof path === "string" ? path : reward.path };
}

async function readFrom(
  runDir: string,
  round: number,
): Promise<({ version: number } & LoopModels) | undefined> {
  const file = join(roundDir(runDir, round), FROM_FILE);
  if (!existsSync(file)) return undefined;
  return JSON.parse(await readFile(file, "utf8")) as { version: number } & LoopModels;
}

const ASIDE = "-before-rollback-";

async function setAside(dir: string): Promise<void> {
  await rename(dir, `${dir}${ASIDE}${(await numAsides(dir)) + 1}`);
}

async function numAsides(dir: string): Promise<number> {
  const names = await readdir(dirname(dir)).catch((): string[] => []);
  return names.filter((name) => name.startsWith(`${basename(dir)}${ASIDE}`)).length;
}

/** A round of long ago whose model was deleted cannot be gone back to. */
function notFinished({ rounds }: LoopState, to: number, dir: string): StagecraftError {
  const known = rounds.length === 0 ? "none" : `1 to ${rounds.length}`;
  return new StagecraftError(
    "not_found",
    `the loop in ${dir} has not finished round ${to}; it has: ${known}, and 0 for the beginning`,
  );
}
