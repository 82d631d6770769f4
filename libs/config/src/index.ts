export {
  configJsonSchema,
  describeConfig,
  describeConfigTable,
  kebabCase,
  type ConfigSchema,
  type FieldDoc,
} from "./describe.js";
export {
  environmentVariable,
  fromEnvironment,
  readEnvironment,
  type Environment,
} from "./environment.js";
export { loadConfig, type ConfigLayers, type LoadedConfig } from "./load-config.js";
export { liveText, secretFiles } from "./live-text.js";
export { loadConfigFile, yamlText, type ConfigFile } from "./load-file.js";
export { parseConfig, type ParseOptions } from "./parse.js";
export { redactConfig } from "./redact.js";
export { schemaOf } from "./schema-of.js";
export { suggest } from "./suggest.js";
export { parseText } from "./text.js";
export { UsageError } from "./usage-error.js";
