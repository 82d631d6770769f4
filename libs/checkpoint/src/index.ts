export { listNames, locateDirectory, sweepTemporaries } from "./atomic-directory.js";
export { atomicWriteFile, type AtomicOptions, type FileContent } from "./atomic-write.js";
export {
  openCheckpoints,
  type Checkpoint,
  type CheckpointOptions,
  type CheckpointStore,
} from "./checkpoints.js";
export {
  acquireDirectoryLock,
  directoryHolder,
  isProcessAlive,
  releaseLockOfThread,
  thisProcess,
  type DirectoryLock,
  type LockOptions,
  type ProcessIdentity,
} from "./directory-lock.js";
export { nodeFileSystem, type FileSystem } from "./file-system.js";
export {
  readManifest,
  readSealedDirectory,
  sha256InTurns,
  sha256Of,
  writeSealedDirectory,
  type Manifest,
} from "./manifest.js";
export {
  readModelDescription,
  readModelDirectory,
  writeModelDirectory,
  type ModelDirectory,
  type WriteModelOptions,
} from "./model-directory.js";
export {
  decodeSafetensors,
  encodeSafetensors,
  encodeSafetensorsChunks,
  sha256OfTensors,
  writeSafetensors,
  type Safetensors,
} from "./safetensors.js";
export { readSafetensors } from "./read-safetensors.js";
export { signDirectory, verifyDirectory } from "./signed-directory.js";
export { createKeyPair, readSigner, readVerifier, type Signer, type Verifier } from "./signing.js";
export { narrowBF16, narrowF16, widenBF16 } from "./half.js";
export {
  BYTES_PER_ELEMENT,
  f32,
  sizeOfShape,
  type DType,
  type TensorData,
  type TensorEntry,
  type TensorMap,
} from "./tensor-entry.js";
