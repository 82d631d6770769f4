export { busFields, engineFields, serverFields } from "./fields.js";
export {
  loadServiceConfig,
  type ServiceArguments,
  type ServiceName,
} from "./load-service-config.js";
export { runMain, terminationSignal } from "./process.js";
export {
  busOptions,
  engineOptions,
  serverOptions,
  type BusSettings,
  type EngineSettings,
  type ServerSettings,
} from "./options.js";
