export { ancestorsOf } from "./ancestors.js";
export {
  LINEAGE_FILE,
  readLineage,
  UNKNOWN,
  type DataFile,
  type Lineage,
  type Parent,
} from "./lineage.js";
export { weightsHash } from "./weights-hash.js";
export { writeLineage } from "./write-lineage.js";
export { openRegistry, type ModelRegistry, type RegisteredVersion } from "./registry.js";
export type { Promotion } from "./registry-file.js";
