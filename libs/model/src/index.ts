export { exportGguf, type ExportGgufOptions, type ExportedGguf } from "./gguf/export-gguf.js";
export type { GgufType } from "./gguf/gguf-file.js";
export {
  baseOfAdapter,
  saveAdapter,
  type SaveAdapterOptions,
  type SavedAdapter,
} from "./adapter/adapter-files.js";
export type { ModelConfig, PresetSizes } from "./config.js";
export { ARCHITECTURES, type Architecture } from "./families/index.js";
export { generate, type GeneratedSequence, type GenerateOptions } from "./generation/generate.js";
export {
  createGenerationEngine,
  type GenerationEngine,
  type GenerationEngineOptions,
  type GenerationEvent,
  type GenerationRequest,
  type GenerationTokenizer,
} from "./generation/generation-engine.js";
export type { SampledToken, SamplingParams, TokenBias } from "./generation/sampling.js";
export { eachLogits, judgeSequence, type JudgedTokens } from "./generation/judge-sequence.js";
export { logSoftmaxAt, type TopToken } from "./generation/top-tokens.js";
export {
  generationDefaults,
  type GenerationDefaults,
  type GenerationField,
} from "./generation/generation-config.js";
export { loadModelToTeach, loadTokenizerOf } from "./chat-model.js";
export { fromHfConfig, toHfConfig, type HfConfigOptions, type SpecialIds } from "./hf-config.js";
export {
  checkVocabulary,
  loadModel,
  readModelInfo,
  readWholeModel,
  saveModel,
  type LoadModelOptions,
  type ModelInfo,
  type WholeModel,
  type SaveModelOptions,
} from "./model-files.js";
export { MODEL_DTYPES, storeAs, type ModelDtype } from "./model-dtype.js";
export {
  createModel,
  modelFromTensors,
  withHeadsOnly,
  type AdoptOptions,
  type CreateModelOptions,
  type GivenWeightsOptions,
  type Model,
  type ModelContents,
} from "./model.js";
export { addLora, type LoraModel, type LoraOptions, type LoraTarget } from "./lora.js";
export { HEAD_NAMES, type Head } from "./names.js";
export { presetConfig } from "./preset.js";
