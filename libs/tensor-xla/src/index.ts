export { findPjrtPlugin, HOW_TO_GET_A_PLUGIN } from "./find-plugin.js";
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
