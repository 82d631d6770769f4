export { ancestorsOf } from "./ancestors.js";
export {
  LINEAGE_FILE,
  lineageIn,
  readLineage,
  UNKNOWN,
  type DataFile,
  type Lineage,
  type LineageFound,
  type Parent,
} from "./lineage.js";
export { weightsHash, type ModelIdentity } from "./weights-hash.js";
export { writeLineage } from "./write-lineage.js";
export { openRegistry } from "./open-registry.js";
export {
  createRegistry,
  type ModelRegistry,
  type RegisteredModel,
  type RegisteredVersion,
} from "./registry.js";
export {
  emptyRegistry,
  parseRegistry,
  registryText,
  type Promotion,
  type RegistryContent,
} from "./registry-content.js";
export type { RegistryHome, VersionFile } from "./registry-home.js";
