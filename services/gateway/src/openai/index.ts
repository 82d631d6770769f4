export {
  fixedModels,
  weightsName,
  type PolicyBackend,
  type RewardBackend,
  type ServedModels,
} from "./backend.js";
export { fixedKeys, type ApiCaller, type Authenticate } from "./keys.js";
export type { KeyLimits } from "./limits.js";
export { startOpenAiServer, type OpenAiServer, type OpenAiServerOptions } from "./server.js";
export { openAiApi, type OpenAiOptions } from "./plugin.js";
