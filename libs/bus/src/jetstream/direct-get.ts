import { StagecraftError } from "@stagecraft/core";
import type { StoredMessage } from "../common/broker.js";
import type { Connection } from "./connection.js";
import { headersOf } from "./headers.js";

const NOT_FOUND = 404;
const META = {
  subject: "Nats-Subject",
  sequence: "Nats-Sequence",
  time: "Nats-Time-Stamp",
  stream: "Nats-Stream",
} as const;

/**
 * The first message at or after `from` on the subject, raw (no base64). The library exposes this call
 * on no public interface. Needs `allow_direct`, which all our streams have. With replicas the answer
 * may lag behind the leader, and say that nothing is there: ask `leaderGet` then.
 */
export async function directGet(
  { nc, requestTimeoutMs: timeout }: Connection,
  stream: string,
  query: { from: number; subject: string },
): Promise<StoredMessage | undefined> {
  const body = JSON.stringify({ seq: Math.max(1, query.from), next_by_subj: query.subject });
  const answer = await nc.request(`$JS.API.DIRECT.GET.${stream}`, body, { timeout });
  const code = answer.headers?.code ?? 0;
  if (code === NOT_FOUND) return undefined;
  // The broker appends its own values: one that stands before them is the publisher's claim.
  const told = (name: string) => answer.headers?.values(name).at(-1);
  if (code >= 300 || told(META.sequence) === undefined) {
    const reason = answer.headers?.description ?? "no answer";
    throw new StagecraftError("internal", `read ${stream}: ${reason} (${code})`);
  }
  const meta = {
    subject: told(META.subject) ?? "",
    sequence: Number(told(META.sequence)),
    storedAtMs: Date.parse(told(META.time) ?? ""),
  };
  const headers: Record<string, string> = { ...headersOf(answer.headers) };
  for (const name of Object.values(META)) delete headers[name];
  return { ...meta, headers, data: Uint8Array.from(answer.data) };
}
