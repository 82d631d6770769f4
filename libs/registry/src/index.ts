export { ancestorsOf } from "./ancestors.js";
export {
  LINEAGE_FILE,
  readLineage,
  UNKNOWN,
  type Ancestor,
  type DataFile,
  type Lineage,
  type LineageFound,
  type Parent,
} from "./lineage.js";
export { weightsHash, type ModelIdentity } from "./weights-hash.js";
export { writeLineage } from "./write-lineage.js";
export { openRegistry, type ModelRegistry, type RegisteredVersion } from "./registry.js";
export type { Promotion } from "./registry-file.js";
