import type { TensorMap } from "@stagecraft/checkpoint";
import type { FinishReasonName, ParsedWeights } from "@stagecraft/contracts";
import type { EngineSettings } from "@stagecraft/fields";
import type { PlainError } from "@stagecraft/service-kit";
import type { TopToken } from "@stagecraft/model";
import type { EngineInfo } from "@stagecraft/tensor";
import type { ChosenTemplate } from "@stagecraft/tokenizer";
import type {
  EngineStatus,
  JudgedSequence,
  PolicyModelFacts,
  SequenceRequest,
  SequenceToScore,
} from "./engine.js";
import type { LocalEngineOptions } from "./local-engine.js";

/** What the engine's thread is started with: plain data, as everything in this file. */
export interface EngineThreadData extends Omit<
  LocalEngineOptions,
  "model" | "tokenizer" | "logger" | "onStep" | "onWeights"
> {
  modelDir: string;
  /** A chat template in the place of the model's. */
  chat?: ChosenTemplate | undefined;
  engine: EngineSettings;
  /** Least time between two messages with tokens of answers that go on, ms; see `createTokenBatcher`. */
  streamIntervalMs: number;
  logLevel: "debug" | "info" | "warn" | "error" | "silent";
}

/** What it tells when it is ready. */
export interface EngineThreadFacts {
  model: Omit<PolicyModelFacts, "tokenizer">;
  kvTokens: number;
  /** Name of the tensor engine, and what it has to say. */
  engine: Pick<EngineInfo, "name" | "notice">;
}

/** What its owner asks of it, or tells it to do; answers are numbered by the owner. */
export type EngineThreadApi = {
  /** Told: what fails is told as `failed`. */
  start(args: { handles: number[]; requests: SequenceRequest[] }): Promise<void>;
  /** Told. */
  withdraw(handle: number): Promise<void>;
  scoreLogProbs(args: {
    sequences: readonly SequenceToScore[];
    temperature: number;
  }): Promise<{ logProbs: Float32Array[]; weights: ParsedWeights }>;
  judge(args: { ids: Int32Array; numTop: number }): Promise<JudgedSequence>;
  loadWeights(args: { weights: ParsedWeights; tensors: TensorMap }): Promise<void>;
};

/** What it tells by itself. */
export type EngineThreadEvent =
  | { kind: "tokens"; tokens: TokenBatch; status: StepStatus }
  | { kind: "failed"; handle: number; error: PlainError }
  | { kind: "weights"; weights: ParsedWeights };

export type StepStatus = Pick<
  EngineStatus,
  "numActive" | "numSteps" | "numTokensGenerated" | "busyMs"
>;

/** Tokens of some steps, of any answers: those of an answer stand together, in the order of the answers. */
export interface TokenBatch {
  /** Of each answer, and how many tokens it has here. */
  handles: Int32Array;
  counts: Int32Array;
  tokenIds: Int32Array;
  /** Not rounded to float32, so that they are what the engine said. */
  logProbs: Float64Array;
  weightVersions: Float64Array;
  /** The likeliest in the places of the tokens, of answers that asked for them. */
  tops: { index: number; tops: (readonly TopToken[])[] }[];
  /** The answers that ended with their last token. */
  ends: { index: number; finishReason: FinishReasonName; text: string | undefined }[];
}
