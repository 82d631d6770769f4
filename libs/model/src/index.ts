export { type ModelBatch } from "./batch.js";
export {
  describeConfig,
  presetConfig,
  validateModelConfig,
  type Architecture,
  type ModelConfig,
  type PresetSizes,
} from "./config.js";
export { fromHfConfig, toHfConfig, type HfConfigOptions, type SpecialIds } from "./hf-config.js";
export {
  loadModel,
  readModelInfo,
  saveModel,
  type LoadModelOptions,
  type ModelInfo,
  type SaveModelOptions,
} from "./model-files.js";
export {
  createModel,
  modelFromTensors,
  type CreateModelOptions,
  type LogProbOptions,
  type Model,
} from "./model.js";
export { type Head } from "./parameters.js";
