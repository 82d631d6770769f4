export { openPjrt } from "./open.js";
export type {
  PjrtArray,
  PjrtArrays,
  PjrtBuffer,
  PjrtClient,
  PjrtCompileOptions,
  PjrtDevice,
  PjrtDtype,
  PjrtMemoryStats,
  PjrtOptions,
  PjrtProgram,
} from "./pjrt.js";
