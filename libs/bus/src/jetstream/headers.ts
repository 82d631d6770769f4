import { headers as createHeaders, type MsgHdrs } from "nats";
import type { Headers } from "../common/broker.js";

/** First values only; we never send more. */
export function headersOf(given: MsgHdrs | undefined): Headers {
  const plain: Record<string, string> = {};
  for (const name of given?.keys() ?? []) plain[name] = given!.get(name);
  return plain;
}

export function toNatsHeaders(plain: Headers): MsgHdrs {
  const target = createHeaders();
  for (const [name, value] of Object.entries(plain)) target.set(name, value);
  return target;
}
