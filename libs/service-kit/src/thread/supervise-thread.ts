import { StagecraftError } from "@stagecraft/core";
import type { RpcServer } from "@stagecraft/rpc";
import type { Logger } from "@stagecraft/telemetry";
import type { Health } from "../health.js";
import type { ThreadApi } from "./serve-thread.js";
import type { Thread } from "./start-thread.js";

/** What is watched of a thread. */
export type SupervisedThread = Pick<Thread<ThreadApi, unknown>, "onHealth" | "ended">;

export interface SuperviseOptions {
  server: RpcServer;
  /** Of the services that answer through the thread. */
  health: Health;
  terminated: Promise<string>;
  logger: Logger;
}

/** Time for answers on their way when the thread is gone, ms. */
const LAST_ANSWERS_MS = 1000;

/**
 * Health of the server follows the thread's heartbeat. Resolves with the signal that ends the process;
 * throws `unavailable` when the thread ends by itself, after its callers have been told: the process is
 * to end then, and whoever started it starts it anew.
 */
export async function superviseThread(
  thread: SupervisedThread,
  { server, health, terminated, logger }: SuperviseOptions,
): Promise<string> {
  thread.onHealth((healthy) => {
    health.set("thread", healthy ? undefined : "the worker thread is silent");
  });
  const crashed = thread.ended.then(
    (reason) => reason ?? new StagecraftError("internal", "the worker thread was closed"),
  );
  const end = await Promise.race([terminated, crashed]);
  if (typeof end === "string") return end;
  logger.error({ err: end }, "the worker thread is gone: the process ends");
  await server.drain(LAST_ANSWERS_MS);
  throw end;
}
