export { EXACT_KINDS, REQUEST_KINDS } from "./types.js";
export type {
  AnswerKey,
  Demonstration,
  RequestKind,
  WorldDocument,
  WorldRequest,
  WorldSizeName,
} from "./types.js";
export { createWorld, type Split, type World, type WorldOptions } from "./world.js";
export { corpusFiles, describeWorld, writeWorld, type WorldFiles } from "./write-world.js";
export { CRITERIA, RUBRIC, stripCourtesies, type Criterion, type GoldScore } from "./gold.js";
export { bayesPairAccuracy, RATER_TEMPERATURE, RATERS, type BayesPairAccuracy } from "./raters.js";
export { COURTESIES, TRAINERS, type Trainer } from "./trainers.js";
export type { Fact, Facts, Relation } from "./facts.js";
export type { Lumi, LumiSentence } from "./lumi.js";
