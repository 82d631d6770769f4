export { EXACT_KINDS, PROMPT_KINDS } from "./types.js";
export type {
  AnswerKey,
  Demonstration,
  PromptKind,
  WorldDocument,
  WorldPrompt,
  WorldSizeName,
} from "./types.js";
export { createWorld, type Split, type World, type WorldOptions } from "./world.js";
export { corpusFiles, describeWorld, writeWorld, type WorldFiles } from "./write-world.js";
export { CRITERIA, RUBRIC, stripCourtesies, type Criterion, type GoldScore } from "./gold.js";
export {
  bayesPairAccuracy,
  LABELER_TEMPERATURE,
  LABELERS,
  type BayesPairAccuracy,
} from "./labelers.js";
export { COURTESIES, TRAINERS, type Trainer } from "./trainers.js";
export type { Fact, Facts, Relation } from "./facts.js";
export type { Lumi, LumiSentence } from "./lumi.js";
