import { StagecraftError } from "@stagecraft/core";

/** What ts-proto generates for every message. */
export interface MessageCodec<T> {
  decode(bytes: Uint8Array): T;
  encode(message: T): { finish(): Uint8Array };
}

/**
 * Decodes bytes from the bus. Truncated or garbled bytes throw `[invalid_argument]` naming `what`.
 * Protobuf accepts many wrong inputs, so a parse function must look at the result.
 */
export function decodeMessage<T>(codec: MessageCodec<T>, bytes: Uint8Array, what: string): T {
  try {
    return codec.decode(bytes);
  } catch (cause) {
    throw new StagecraftError(
      "invalid_argument",
      `${what}: ${bytes.length} bytes do not decode: ${String(cause)}`,
      { cause, details: { what, numBytes: bytes.length } },
    );
  }
}
