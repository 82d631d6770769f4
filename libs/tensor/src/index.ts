export { tf } from "./tf.js";
export { engineInfo } from "./engines/current.js";
export type { EngineInfo, EngineName, KvShape, MemoryReport } from "./engines/engine.js";
export { initEngine, type EngineOptions } from "./engines/start.js";
export type {
  Decoder,
  DecoderOptions,
  DecoderRow,
  DecoderWeights,
  StepResult,
  StepSampling,
  TokenFilters,
} from "./engines/decoder.js";
export type { AdamWConfig, Optimizer, OptimizerConfig, SgdConfig } from "./engines/optimizer.js";
export { causalAttention, rotary } from "./ops/attention.js";
export {
  embedding,
  gelu,
  layerNorm,
  linear,
  mergedWeight,
  rmsNorm,
  scaledSum,
  swiglu,
} from "./ops/basics.js";
export { createDecoder, decoderHidden } from "./ops/decoder.js";
export { tokenLogProbs } from "./ops/log-probs.js";
export { createOptimizer } from "./ops/optimizer.js";
export { plainRope } from "./rope.js";
export { numDevices, summedValueAndGrads } from "./devices.js";
export {
  createGradientAccumulator,
  valueAndGrads,
  type GradientAccumulator,
  type Gradients,
  type Params,
} from "./gradients.js";
export {
  kvBytesPerToken,
  memoryReport,
  ownValues,
  releaseIdleMemory,
  releaseWeights,
} from "./memory.js";
export {
  createLaterReads,
  paddedBatch,
  paddedSize,
  programCounts,
  runRecorded,
  type LaterReads,
} from "./recorded.js";
export type {
  Activation,
  AttentionBlockOptions,
  AttentionBlockWeights,
  AttentionOptions,
  DecoderLayer,
  DecoderTrunk,
  HeadCounts,
  LinearAdapter,
  LinearWeights,
  LogitOptions,
  MlpBlockOptions,
  MlpBlockWeights,
  NormKind,
  NormWeights,
  Rope,
  RotaryOptions,
  SequenceLayout,
  TokenLogProbs,
  TokenLogProbsOptions,
} from "./types.js";
