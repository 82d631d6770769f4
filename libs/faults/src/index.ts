export type { FaultControl, FaultContext, FaultResult, FaultRow, Mutation } from "./fault-row.js";
export { FAULT_ROWS } from "./rows/index.js";
export { runControl, runRow, type RowOutcome, type RunRowOptions } from "./run-row.js";
export { formatOutcomes } from "./table.js";
