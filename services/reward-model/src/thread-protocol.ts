import type { EngineSettings } from "@stagecraft/fields";
import type { EngineInfo } from "@stagecraft/tensor";
import type { NamedModelDir } from "./open-service.js";
import type { ScoredSequence, Scorer } from "./scorer.js";

/** What the thread is started with: plain data, as everything in this file. */
export interface ScoreThreadData {
  models: readonly NamedModelDir[];
  engine: EngineSettings;
}

/** What it tells when it is ready. */
export interface ScoreThreadFacts {
  models: Pick<Scorer, "name" | "version" | "model" | "scoreMean" | "scoreStd">[];
  /** Name of the tensor engine, and what it has to say. */
  engine: Pick<EngineInfo, "name" | "notice">;
}

/** What its owner asks of it. */
export type ScoreThreadApi = {
  score(args: { model: number; sequences: Int32Array[] }): Promise<ScoredSequence[]>;
};
