import { connect, type ClientHttp2Session } from "node:http2";

/** A gRPC message frame: compressed flag, length, content. */
export function frame(content: Uint8Array, { compressed = false, length = content.length } = {}) {
  const header = Buffer.alloc(5);
  header[0] = compressed ? 1 : 0;
  header.writeUInt32BE(length, 1);
  return Buffer.concat([header, content]);
}

/** HTTP/2 without a gRPC library in between, to say what none would say. */
export interface RawClient extends AsyncDisposable {
  /**
   * Sends bytes as one call's request; resolves with the gRPC status, or with a word when there is
   * none: "reset", "closed", "silent" after the time.
   */
  call(path: string, body: Uint8Array, options?: RawCallOptions): Promise<number | string>;
}

export interface RawCallOptions {
  headers?: Record<string, string>;
  /** Leave the request open instead of ending it. */
  leaveOpen?: boolean;
  timeoutMs?: number;
}

export async function openRawClient(address: string): Promise<RawClient> {
  const session = connect(`http://${address}`);
  session.on("error", () => undefined);
  await new Promise((resolve, reject) => {
    session.once("connect", resolve);
    session.once("error", reject);
  });
  return {
    call: (path, body, options = {}) => call(session, { path, body, options }),
    async [Symbol.asyncDispose]() {
      session.destroy();
      await Promise.resolve();
    },
  };
}

function call(
  session: ClientHttp2Session,
  { path, body, options }: { path: string; body: Uint8Array; options: RawCallOptions },
): Promise<number | string> {
  const { headers = {}, leaveOpen = false, timeoutMs = 10_000 } = options;
  if (session.closed || session.destroyed) return Promise.resolve("closed");
  return new Promise((resolve) => {
    const stream = session.request({
      ":method": "POST",
      ":path": path,
      te: "trailers",
      "content-type": "application/grpc+proto",
      ...headers,
    });
    const timer = setTimeout(() => end("silent"), timeoutMs);
    const end = (result: number | string) => {
      clearTimeout(timer);
      resolve(result);
      if (!stream.closed) stream.close();
    };
    const read = (fields: Record<string, unknown>) => {
      if (fields["grpc-status"] !== undefined) end(Number(fields["grpc-status"]));
    };
    stream.on("response", read);
    stream.on("trailers", read);
    stream.on("data", () => undefined);
    stream.on("error", () => end("reset"));
    stream.on("close", () => end("closed"));
    if (leaveOpen) stream.write(body);
    else stream.end(body);
  });
}
