import type { FaultRow } from "../fault-row.js";
import { access } from "./access.js";
import { checkpointDamage } from "./checkpoint-damage.js";
import { diskFull } from "./disk-full.js";
import { gatewayKill } from "./gateway-kill.js";
import { hostileRequest } from "./hostile-request.js";
import { natsKill } from "./nats-kill.js";
import { outOfMemory } from "./out-of-memory.js";
import { hostileRollout, poison } from "./poison.js";
import { rollingTerm } from "./rolling-term.js";
import { serverKill } from "./server-kill.js";
import { silentClient } from "./silent-client.js";
import { slowTrainer } from "./slow-trainer.js";
import { storeLost } from "./store-lost.js";
import { trainerKill } from "./trainer-kill.js";
import { twoTrainers } from "./two-trainers.js";
import { wire } from "./wire.js";
import { workerKill } from "./worker-kill.js";
import { workerStop } from "./worker-stop.js";

/** The table of faults, in the order of design and README. */
export const FAULT_ROWS: readonly FaultRow[] = [
  workerKill,
  trainerKill,
  natsKill,
  serverKill,
  gatewayKill,
  workerStop,
  twoTrainers,
  diskFull,
  outOfMemory,
  storeLost,
  slowTrainer,
  poison,
  hostileRollout,
  hostileRequest,
  silentClient,
  wire,
  access,
  checkpointDamage,
  rollingTerm,
];
