import { trainer } from "@stagecraft/contracts";
import { createRpcClient, type RpcClient } from "@stagecraft/rpc";
import type { ConnectOptions } from "./options.js";

/** A client of the trainer service. */
export type TrainerClient = RpcClient<typeof trainer.TrainerServiceService>;

/** Safe to repeat: a run is found again by its id, reading changes nothing. */
const IDEMPOTENT = ["createRun", "getRun", "listRuns", "watchRun"] as const;

/** The trainer's API; what is safe to repeat is retried while the trainer is unavailable. */
export function connectTrainer(address: string, options: ConnectOptions = {}): TrainerClient {
  return createRpcClient(trainer.TrainerServiceClient, address, {
    ...options,
    idempotent: IDEMPOTENT,
  });
}
