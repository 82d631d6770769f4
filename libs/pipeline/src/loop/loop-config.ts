import { choice, decimal, flag, text, texts, whole } from "@stagecraft/fields";
import { z } from "zod";
import { MAX_ANSWERS } from "@stagecraft/data";
import { commonFields, dataInputs, modelInputs, type StageInput } from "@stagecraft/runs";
import type { RankerDefinition } from "./ranker-definition.js";

const RANKER_DOC =
  "Who ranks: people through files in inbox or through the feedback service, the program rankCommand, closeness to references";

/** What `stagecraft loop` can be told. */
export const loopSchema = z.strictObject({
  policy: text().describe(
    "Model directory that the first round starts from, normally the SFT model",
  ),
  reference: text("").describe(
    "Model directory of the frozen KL reference of all rounds; empty = policy",
  ),
  rewardModel: text("").describe(
    "Reward model in use at first; empty = the first round trains one",
  ),
  rewardStart: text("").describe(
    "Model directory that every reward model is trained from; empty = policy",
  ),
  prompts: texts().describe("JSONL files of prompts"),
  evalPrompts: texts([]).describe("JSONL files of held-out prompts, for PPO's evaluations"),
  rankings: texts([]).describe("JSONL files of rankings that are there already"),
  heldOutRankings: texts([]).describe("JSONL files of rankings that only ever judge reward models"),
  heldOutFraction: decimal({ min: 0.01, max: 0.5, default: 0.15 }).describe(
    "Share of prompts whose rankings judge reward models and train none",
  ),
  ranker: choice(["files", "feedback", "command", "reference"], "files").describe(RANKER_DOC),
  rankCommand: text("").describe(
    "Ranker command: shell command that reads answers (JSONL) and writes rankings (JSONL)",
  ),
  inbox: text("").describe(
    "Folder where rankings (JSONL) are dropped; empty = inbox in the run directory",
  ),
  feedbackAddress: text("127.0.0.1:50055").describe("The feedback service, for ranker feedback"),
  feedbackTokenFile: text("").describe("File with the bearer token for it; empty = none"),
  feedbackTlsCa: text("").describe("PEM authority of the feedback service; empty = plaintext"),
  feedbackTlsCert: text("").describe("PEM certificate shown to it (mTLS)"),
  feedbackTlsKey: text("").describe("PEM key of that certificate"),
  feedbackAllowPlaintext: flag(false).describe("Plaintext to it beyond loopback"),
  minRankings: whole({ default: 1 }).describe("New rankings that a round waits for"),
  minRankedShare: decimal({ max: 1, default: 0.8 }).describe(
    "Share of a round's prompts that it waits to have ranked",
  ),
  maxWaitHours: decimal({ default: 0 }).describe(
    "After so long fewer rankings do too, but never fewer held-out pairs; 0 = no limit",
  ),
  minHeldOutPairs: whole({ default: 20 }).describe(
    "Held-out pairs that judge a reward model before PPO follows it; 0 = unjudged too",
  ),
  promotionLevel: decimal({ min: 0.0001, max: 1, default: 0.05 }).describe(
    "A new reward model takes over when its one-sided p on held-out prompts is below this",
  ),
  sftEvery: whole({ default: 0 }).describe(
    "SFT on new demonstrations in every so many rounds; 0 = never",
  ),
  demonstrations: texts([]).describe("JSONL files of demonstrations that every SFT learns, too"),
  demonstrationInbox: text("").describe(
    "Folder where demonstrations (JSONL) are dropped; empty = demonstrations in the run directory",
  ),
  minDemonstrations: whole({ min: 1, default: 1 }).describe("With fewer new ones SFT waits a turn"),
  sftConfig: text("").describe("YAML of further fields of `sft`; what the loop sets itself wins"),
  pollMs: whole({ min: 10, max: 600_000, default: 1000 }).describe(
    "Time between looks for rankings, ms",
  ),
  rounds: whole({ default: 0 }).describe("Rounds in all; 0 = until stopped"),
  promptsPerRound: whole({ min: 1, default: 64 }).describe(
    "Prompts answered for ranking in a round",
  ),
  samplesPerPrompt: whole({ min: 2, max: MAX_ANSWERS, default: 4 }).describe(
    "Answers to each of them; 4 to 9 in InstructGPT",
  ),
  temperature: decimal({ above: 0, max: 10, default: 1 }).describe(
    "Sampling temperature of answers to rank and of PPO",
  ),
  maxNewTokens: whole({ min: 1, default: 64 }).describe("Longest answer in tokens"),
  klCoef: decimal({ default: 0.1 }).describe("β of the first round; later ones carry it on"),
  updates: whole({ default: 0 }).describe(
    "PPO updates of a round; 0 = as ppoConfig or its defaults say",
  ),
  ppoConfig: text("").describe("YAML of further fields of `ppo`; what the loop sets itself wins"),
  rewardConfig: text("").describe(
    "YAML of further fields of `reward`; what the loop sets itself wins",
  ),
  registry: text("").describe(
    "Registry that knows which models are in use; empty = models.json in the run directory",
  ),
  ...commonFields,
});

export type LoopConfig = z.infer<typeof loopSchema>;

/** The schema with what registered rankers add to it: their names and their fields. */
export function loopSchemaWith(rankers: readonly RankerDefinition[]): typeof loopSchema {
  if (rankers.length === 0) return loopSchema;
  const own = loopSchema.shape.ranker.unwrap().options;
  const ranker = choice([...own, ...rankers.map(({ name }) => name)], "files").describe(
    [RANKER_DOC, ...rankers.map(({ doc }) => doc)].join(", "),
  );
  const fields = Object.assign({}, ...rankers.map((each) => each.fields)) as z.ZodRawShape;
  return loopSchema.extend({ ranker, ...fields }) as unknown as typeof loopSchema;
}

/** What the loop reads from the beginning; rankings that come later are no input. */
export function loopInputs(config: LoopConfig): StageInput[] {
  const { policy, reference, rewardModel, rewardStart } = config;
  const { prompts, evalPrompts, rankings, heldOutRankings, demonstrations } = config;
  return [
    ...modelInputs({ policy, reference, rewardModel, rewardStart }),
    ...dataInputs({ prompts, evalPrompts, rankings, heldOutRankings, demonstrations }),
  ];
}
