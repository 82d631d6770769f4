import { z } from "zod";
import { MAX_ANSWERS } from "@stagecraft/data";
import { commonFields, dataInputs, modelInputs, type StageInput } from "@stagecraft/runs";
import type { RankerDefinition } from "./ranker-definition.js";

const RANKER_DOC =
  "Who ranks: people through files in inbox or through the feedback service, the program rankCommand, closeness to references";

/** What `stagecraft loop` can be told. */
export const loopSchema = z.strictObject({
  policy: z
    .string()
    .min(1)
    .describe("Model directory that the first round starts from, normally the SFT model"),
  reference: z
    .string()
    .default("")
    .describe("Model directory of the frozen KL reference of all rounds; empty = policy"),
  rewardModel: z
    .string()
    .default("")
    .describe("Reward model in use at first; empty = the first round trains one"),
  rewardStart: z
    .string()
    .default("")
    .describe("Model directory that every reward model is trained from; empty = policy"),
  prompts: z.array(z.string().min(1)).min(1).describe("JSONL files of prompts"),
  evalPrompts: z
    .array(z.string().min(1))
    .default([])
    .describe("JSONL files of held-out prompts, for PPO's evaluations"),
  rankings: z
    .array(z.string().min(1))
    .default([])
    .describe("JSONL files of rankings that are there already"),
  heldOutRankings: z
    .array(z.string().min(1))
    .default([])
    .describe("JSONL files of rankings that only ever judge reward models"),
  heldOutFraction: z
    .number()
    .min(0.01)
    .max(0.5)
    .default(0.15)
    .describe("Share of prompts whose rankings judge reward models and train none"),
  ranker: z
    .enum(["files", "feedback", "command", "reference"])
    .default("files")
    .describe(RANKER_DOC),
  rankCommand: z
    .string()
    .default("")
    .describe(
      "Ranker command: shell command that reads answers (JSONL) and writes rankings (JSONL)",
    ),
  inbox: z
    .string()
    .default("")
    .describe("Folder where rankings (JSONL) are dropped; empty = inbox in the run directory"),
  feedbackAddress: z
    .string()
    .min(1)
    .default("127.0.0.1:50055")
    .describe("The feedback service, for ranker feedback"),
  feedbackTokenFile: z
    .string()
    .default("")
    .describe("File with the bearer token for it; empty = none"),
  feedbackTlsCa: z
    .string()
    .default("")
    .describe("PEM authority of the feedback service; empty = plaintext"),
  minRankings: z.int().min(0).default(1).describe("New rankings that a round waits for"),
  minRankedShare: z
    .number()
    .min(0)
    .max(1)
    .default(0.8)
    .describe("Share of a round's prompts that it waits to have ranked"),
  maxWaitHours: z
    .number()
    .min(0)
    .default(0)
    .describe("After so long fewer rankings do too, but never fewer held-out pairs; 0 = no limit"),
  minHeldOutPairs: z
    .int()
    .min(0)
    .default(20)
    .describe("Held-out pairs that judge a reward model before PPO follows it; 0 = unjudged too"),
  promotionLevel: z
    .number()
    .min(0.0001)
    .max(1)
    .default(0.05)
    .describe(
      "A new reward model takes over when its one-sided p on held-out prompts is below this",
    ),
  sftEvery: z
    .int()
    .min(0)
    .default(0)
    .describe("SFT on new demonstrations in every so many rounds; 0 = never"),
  demonstrations: z
    .array(z.string().min(1))
    .default([])
    .describe("JSONL files of demonstrations that every SFT learns, too"),
  demonstrationInbox: z
    .string()
    .default("")
    .describe(
      "Folder where demonstrations (JSONL) are dropped; empty = demonstrations in the run directory",
    ),
  minDemonstrations: z.int().min(1).default(1).describe("With fewer new ones SFT waits a turn"),
  sftConfig: z
    .string()
    .default("")
    .describe("YAML of further fields of `sft`; what the loop sets itself wins"),
  pollMs: z
    .int()
    .min(10)
    .max(600_000)
    .default(1000)
    .describe("Time between looks for rankings, ms"),
  rounds: z.int().min(0).default(0).describe("Rounds in all; 0 = until stopped"),
  promptsPerRound: z.int().min(1).default(64).describe("Prompts answered for ranking in a round"),
  samplesPerPrompt: z
    .int()
    .min(2)
    .max(MAX_ANSWERS)
    .default(4)
    .describe("Answers to each of them; 4 to 9 in InstructGPT"),
  temperature: z
    .number()
    .positive()
    .max(10)
    .default(1)
    .describe("Sampling temperature of answers to rank and of PPO"),
  maxNewTokens: z.int().min(1).default(64).describe("Longest answer in tokens"),
  klCoef: z.number().min(0).default(0.1).describe("β of the first round; later ones carry it on"),
  updates: z
    .int()
    .min(0)
    .default(0)
    .describe("PPO updates of a round; 0 = as ppoConfig or its defaults say"),
  ppoConfig: z
    .string()
    .default("")
    .describe("YAML of further fields of `ppo`; what the loop sets itself wins"),
  rewardConfig: z
    .string()
    .default("")
    .describe("YAML of further fields of `reward`; what the loop sets itself wins"),
  registry: z
    .string()
    .default("")
    .describe(
      "Registry that knows which models are in use; empty = models.json in the run directory",
    ),
  ...commonFields,
});

export type LoopConfig = z.infer<typeof loopSchema>;

/** The schema with what registered rankers add to it: their names and their fields. */
export function loopSchemaWith(rankers: readonly RankerDefinition[]): typeof loopSchema {
  if (rankers.length === 0) return loopSchema;
  const own = loopSchema.shape.ranker.unwrap().options;
  const ranker = z
    .enum([...own, ...rankers.map(({ name }) => name)])
    .default("files")
    .describe([RANKER_DOC, ...rankers.map(({ doc }) => doc)].join(", "));
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
