import { setTimeout as delay } from "node:timers/promises";
import { createInbox, nanos, type Msg } from "nats";
import { StagecraftError } from "@stagecraft/core";
import type { Delivery, PullSink, PullSource, RequiredConsumerSpec } from "../common/broker.js";
import type { Connection } from "./connection.js";
import { fromNats } from "./errors.js";
import { headersOf } from "./headers.js";

/** A request lives this long at the broker; an idle worker asks again then. */
const EXPIRES_MS = 10_000;
/** Beyond that the answer is lost. */
const LOST_AFTER_MS = EXPIRES_MS + 2000;
const BACKOFF_MS = 200;

const STATUS_HEARTBEAT = 100;
const NORMAL_ENDS = new Set([404, 408]);

/**
 * A pull loop on the bare protocol. The library's `consume()` prefetches on its own account and drops
 * what is in the socket when it stops; here a request is exactly the free space, and stopping drains,
 * so that undelivered messages go back at once instead of after the ack wait.
 */
export function openPull(
  connection: Connection,
  spec: RequiredConsumerSpec,
  sink: PullSink,
): PullSource {
  const { nc } = connection;
  const inbox = createInbox(connection.inboxPrefix);
  const api = `$JS.API.CONSUMER.MSG.NEXT.${spec.stream}.${spec.durable}`;
  let current = 0; // number of the latest request; statuses of older ones are stale
  let missing = 0;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;

  const spent = (afterMs = 0) => {
    clearTimeout(timer);
    current++;
    missing = 0;
    if (stopped) return;
    if (afterMs === 0) return sink.onSpent();
    timer = setTimeout(() => sink.onSpent(), afterMs);
  };
  const onStatus = (message: Msg, status: number) => {
    if (status === STATUS_HEARTBEAT || message.subject !== `${inbox}.${current}`) return;
    // Others: no responders while the broker starts, leadership change, consumer deleted.
    spent(NORMAL_ENDS.has(status) ? 0 : BACKOFF_MS);
  };
  const subscription = nc.subscribe(`${inbox}.*`, {
    callback(error, message) {
      if (error) return spent(BACKOFF_MS);
      // Statuses come without a reply subject, deliveries with the one to ack on.
      if (!message.reply?.startsWith("$JS.ACK."))
        return onStatus(message, message.headers?.code ?? 0);
      if (missing > 0 && --missing === 0) clearTimeout(timer);
      sink.onDelivery(deliveryOf(connection, message));
    },
  });
  const unhook = connection.onReconnect(() => spent());

  return {
    request(count) {
      clearTimeout(timer);
      current++;
      missing = count;
      // Disconnected: the reconnection spends this request, and the next one is sent.
      if (!connection.isConnected() || nc.isClosed()) return;
      const body = JSON.stringify({ batch: count, expires: nanos(EXPIRES_MS) });
      nc.publish(api, body, { reply: `${inbox}.${current}` });
      timer = setTimeout(() => spent(), LOST_AFTER_MS);
      timer.unref();
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      unhook();
      if (nc.isClosed() || !connection.isConnected()) return subscription.unsubscribe();
      const drained = subscription.drain().catch(() => undefined);
      await Promise.race([drained, delay(connection.requestTimeoutMs, undefined, { ref: false })]);
    },
  };
}

/** `$JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<nanoseconds>.<pending>` */
function deliveryOf(connection: Connection, message: Msg): Delivery {
  const tokens = message.reply!.split(".");
  // Newer servers put domain and account after ACK and a token at the end (12 tokens).
  const [delivery, sequence, , timestamp] = tokens.slice(tokens.length >= 11 ? 6 : 4);
  const settle = async (answer: string) => {
    await connection.connected();
    const { requestTimeoutMs: timeout } = connection;
    await connection.nc.request(message.reply!, answer, { timeout }).catch((error: unknown) => {
      throw new StagecraftError(
        "unavailable",
        `the broker did not confirm ${answer} of ${message.subject}; the message may come again`,
        { cause: fromNats(error, answer) },
      );
    });
  };
  return {
    subject: message.subject,
    data: Uint8Array.from(message.data), // the client reuses the socket's buffer
    headers: headersOf(message.headers),
    sequence: Number(sequence),
    delivery: Number(delivery),
    storedAtMs: Number(BigInt(timestamp!) / 1_000_000n),
    ack: () => settle("+ACK"),
    nak: (delayMs) => settle(delayMs > 0 ? `-NAK {"delay":${nanos(delayMs)}}` : "-NAK"),
    term: () => settle("+TERM"),
    working: () => {
      if (connection.isConnected() && !connection.nc.isClosed()) {
        connection.nc.publish(message.reply!, "+WPI");
      }
    },
  };
}
