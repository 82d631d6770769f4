export { tf } from "./tf.js";
export {
  engineInfo,
  initEngine,
  type EngineInfo,
  type EngineName,
  type EngineOptions,
} from "./engine.js";
export { causalAttention, rotary } from "./ops/attention.js";
export { embedding, gelu, layerNorm, linear, rmsNorm, scaledSum, swiglu } from "./ops/basics.js";
export { decoderHidden } from "./ops/decoder.js";
export { tokenLogProbs } from "./ops/log-probs.js";
export {
  createGradientAccumulator,
  valueAndGrads,
  type GradientAccumulator,
  type Gradients,
  type Params,
} from "./gradients.js";
export { memoryReport, releaseIdleMemory, type MemoryReport } from "./memory.js";
export { ownValues } from "./values.js";
export { createOptimizer } from "./optimizer/optimizer.js";
export type { AdamWConfig, Optimizer, OptimizerConfig, SgdConfig } from "./optimizer/types.js";
export type {
  AttentionBlockOptions,
  AttentionBlockWeights,
  DecoderTrunk,
  HeadCounts,
  LinearWeights,
  MlpBlockOptions,
  MlpBlockWeights,
  NormKind,
  NormWeights,
  RotaryOptions,
  SequenceLayout,
  TokenLogProbs,
  TokenLogProbsOptions,
} from "./types.js";
export {
  createNativeDecoder,
  releasePackedWeights,
  type DecoderWeights,
  type NativeDecoder,
  type NativeDecoderOptions,
  type NativeDecoderRow,
  type StepResult,
  type StepSampling,
  type TokenFilters,
} from "./native/decoder.js";
