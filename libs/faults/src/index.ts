export { FAULT_ROWS } from "./rows/index.js";
export { runControl, runRow } from "./run-row.js";
export { formatOutcomes } from "./table.js";
