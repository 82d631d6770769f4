export { busFields } from "./bus-fields.js";
export {
  engineFields,
  engineOptions,
  engineSettings,
  type EngineSettings,
} from "./engine-fields.js";
export { ENGINES } from "./engines.js";
export { choice, decimal, flag, text, texts, whole } from "./fields.js";
