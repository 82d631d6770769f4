/** Header names on the wire. */
export const HEADER = {
  /** The broker deduplicates on this one. */
  dedupeId: "Nats-Msg-Id",
  /** The publisher's id; differs from the above on a re-queued message. */
  id: "Stagecraft-Id",
  deadReason: "Stagecraft-Dead-Reason",
  deadStream: "Stagecraft-Dead-Stream",
  deadConsumer: "Stagecraft-Dead-Consumer",
  deadSequence: "Stagecraft-Dead-Sequence",
  deadDelivery: "Stagecraft-Dead-Delivery",
  rollup: "Nats-Rollup",
} as const;

/** A header value: one line of printable text, bounded. */
export function headerText(text: string, maxLength = 512): string {
  return text
    .replace(/\p{Cc}+/gu, " ")
    .slice(0, maxLength)
    .trim();
}
