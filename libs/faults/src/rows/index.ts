import type { FaultRow } from "../fault-row.js";
import { natsKill } from "./nats-kill.js";
import { trainerKill } from "./trainer-kill.js";
import { twoTrainers } from "./two-trainers.js";
import { workerKill } from "./worker-kill.js";
import { workerStop } from "./worker-stop.js";

/** The table of faults, in the order of design and README. */
export const FAULT_ROWS: readonly FaultRow[] = [
  workerKill,
  trainerKill,
  natsKill,
  workerStop,
  twoTrainers,
];
