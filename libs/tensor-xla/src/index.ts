export { findPjrtPlugin, HOW_TO_GET_A_PLUGIN } from "./find-plugin.js";
export { openPjrt } from "./open.js";
export type {
  PjrtArray,
  PjrtBuffer,
  PjrtClient,
  PjrtDtype,
  PjrtOptions,
  PjrtProgram,
} from "./pjrt.js";
