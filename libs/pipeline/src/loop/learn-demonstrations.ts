import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { atomicWriteFile } from "@stagecraft/checkpoint";
import { writeJsonl } from "@stagecraft/data";
import { sftStage, type SftConfig } from "@stagecraft/learn";
import type { NewDemonstrations } from "./demonstration-source.js";
import { openDemonstrations } from "./demonstration-sources.js";
import type { LoopState } from "./loop-state.js";
import { commonConfig, stepOf, type Round } from "./round.js";
import { roundFiles } from "./round-dir.js";
import { stageConfig } from "./stage-config.js";

type Taken = Omit<NewDemonstrations, "demonstrations"> & { numDemonstrations: number };

/** What the step changes in the state, and how many demonstrations were new. */
export type DemonstrationPart = { numDemonstrations: number } & Partial<
  Pick<LoopState, "policy" | "reference" | "consumedDemonstrations" | "demonstrationPosition">
>;

const FILE = "demonstrations.jsonl";

/**
 * Every `sftEvery` rounds, when there are enough new demonstrations: SFT goes on from the policy in use
 * with every demonstration so far. What it makes is the policy, and from now on the KL reference: PPO is
 * to stay near what people wrote last.
 */
export async function learnDemonstrations(round: Round): Promise<DemonstrationPart> {
  const { config, number, state, runDir, place } = round;
  if (config.sftEvery === 0 || number % config.sftEvery !== 0) return { numDemonstrations: 0 };
  const taken = await take(round);
  if (taken.numDemonstrations === 0) return { numDemonstrations: 0 };
  const files = roundFiles(runDir, number, FILE).filter((file) => existsSync(file));
  const sftConfig = await stageConfig<SftConfig>(sftStage, config.sftConfig, {
    model: state.policy,
    data: [...config.demonstrations, ...files],
    validationData: [],
    ...commonConfig(round),
  });
  const { modelDir } = await place.run(sftStage, sftConfig, stepOf(round, "sft"));
  return {
    numDemonstrations: taken.numDemonstrations,
    policy: modelDir!,
    reference: modelDir!,
    consumedDemonstrations: [...state.consumedDemonstrations, ...taken.files],
    ...(taken.position !== undefined && { demonstrationPosition: taken.position }),
  };
}

/** Decides once and for all which demonstrations are the round's; none when they are too few. */
async function take(round: Round): Promise<Taken> {
  const { config, context, dir, number } = round;
  const done = join(dir, "demonstrations.json");
  if (existsSync(done)) return JSON.parse(await readFile(done, "utf8")) as Taken;
  const { demonstrations, where, ...source } = await readNew(round);
  const enough = demonstrations.length >= Math.max(1, config.minDemonstrations);
  context.reporter.info(
    `round ${number}: ${demonstrations.length} new demonstrations ${where}` +
      (enough ? "" : `; SFT waits for ${Math.max(1, config.minDemonstrations)}`),
  );
  if (enough) await writeJsonl(join(dir, FILE), demonstrations);
  const taken = enough
    ? { ...source, numDemonstrations: demonstrations.length }
    : { files: [], numDemonstrations: 0 };
  await atomicWriteFile(done, JSON.stringify(taken)); // from here on the choice stands
  return taken;
}

async function readNew(round: Round): Promise<NewDemonstrations & { where: string }> {
  const places: string[] = [];
  const all: NewDemonstrations = { demonstrations: [], files: [] };
  for (const open of openDemonstrations(round)) {
    await using source = await open();
    const { demonstrations, files, ...rest } = await source.read();
    all.demonstrations.push(...demonstrations);
    all.files.push(...files);
    Object.assign(all, rest);
    places.push(source.where);
  }
  return { ...all, where: places.join(" and ") };
}
