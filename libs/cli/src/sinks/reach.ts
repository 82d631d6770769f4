import { connect as connectTo, type Socket } from "node:net";
import { StagecraftError } from "@stagecraft/core";

/** How a server is reached; for tests. */
export interface Reaching {
  /** How long a connection may take to stand; default 2 s. */
  connectMs?: number;
  connect?(host: string, port: number): Socket;
}

/**
 * Whether somebody takes connections there: a host that swallows packets shows it in seconds, not when every
 * call has waited for its own end. Throws `unavailable`; details.noConnection says that trying again at once
 * is of no use.
 */
export async function reach(
  { hostname, port, protocol, origin }: URL,
  { connectMs = 2000, connect = (host, port) => connectTo({ host, port }) }: Reaching = {},
): Promise<void> {
  const standard = protocol === "https:" ? 443 : 80;
  const socket = connect(hostname.replace(/^\[|\]$/g, ""), Number(port) || standard);
  try {
    await new Promise<void>((resolve, reject) => {
      const tooLong = () => reject(new Error("no connection"));
      const timer = setTimeout(tooLong, connectMs);
      socket.once("close", () => clearTimeout(timer));
      socket.once("connect", resolve).once("error", (error) => {
        clearTimeout(timer);
        reject(error);
      });
    });
  } catch (cause) {
    const isSilent = (cause as NodeJS.ErrnoException).code === undefined;
    const why = isSilent ? `takes no connection within ${connectMs} ms` : "does not answer";
    throw new StagecraftError("unavailable", `${origin} ${why}`, {
      cause,
      details: { noConnection: isSilent },
    });
  } finally {
    socket.destroy();
  }
}

/** Whether the same may succeed a moment later. */
export function isWorthAnother(error: StagecraftError): boolean {
  return error.code === "unavailable" && error.details["noConnection"] !== true;
}
