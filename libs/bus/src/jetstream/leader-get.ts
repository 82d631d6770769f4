import { NatsError, type JetStreamManager, type MsgRequest } from "nats";
import type { StoredMessage } from "../common/broker.js";
import { headersOf } from "./headers.js";

/**
 * The first message at or after `from` on the subject, from the stream's leader, which lags behind nobody; undefined
 * when it has none, and for users who may not ask it (those set up by an earlier version).
 */
export async function leaderGet(
  manager: JetStreamManager,
  stream: string,
  { from, subject }: { from: number; subject: string },
): Promise<StoredMessage | undefined> {
  // The broker takes what the library's type has for direct calls only.
  const query = { seq: Math.max(1, from), next_by_subj: subject } as MsgRequest;
  try {
    const {
      subject,
      seq: sequence,
      time,
      header,
      data,
    } = await manager.streams.getMessage(stream, query);
    return {
      subject,
      sequence,
      storedAtMs: time.getTime(),
      headers: headersOf(header),
      data: Uint8Array.from(data),
    };
  } catch (error) {
    if (error instanceof NatsError && (isNoMessage(error) || error.isPermissionError()))
      return undefined;
    throw error;
  }
}

/** API error 10037; 10043 and 10057 where what is not there was to be deleted, by server version. */
export function isNoMessage(error: unknown): boolean {
  const { api_error: api } = error as { api_error?: { err_code?: number; description?: string } };
  return api?.err_code === 10043 || /no message found|not found/i.test(api?.description ?? "");
}
