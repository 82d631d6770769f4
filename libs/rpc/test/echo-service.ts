import type { ClientHttp2Session, ClientHttp2Stream } from "node:http2";
import {
  type CallContext,
  createRpcClient,
  createRpcServer,
  type Handlers,
  type RpcClient,
  type RpcClientOptions,
  type RpcServer,
  type RpcServerOptions,
} from "@stagecraft/rpc";

/** A message of the test service; on the wire as JSON, so that truncation shows. */
export interface Echo {
  text: string;
}

const serialize = (value: Echo): Buffer => Buffer.from(JSON.stringify(value));
const deserialize = (bytes: Buffer): Echo => JSON.parse(bytes.toString()) as Echo;
const codec = {
  requestSerialize: serialize,
  requestDeserialize: deserialize,
  responseSerialize: serialize,
  responseDeserialize: deserialize,
};

/** In the shape ts-proto generates: one method of each kind. */
export const EchoService = {
  say: {
    path: "/test.v1.EchoService/Say" as const,
    requestStream: false as const,
    responseStream: false as const,
    ...codec,
  },
  repeat: {
    path: "/test.v1.EchoService/Repeat" as const,
    requestStream: false as const,
    responseStream: true as const,
    ...codec,
  },
  collect: {
    path: "/test.v1.EchoService/Collect" as const,
    requestStream: true as const,
    responseStream: false as const,
    ...codec,
  },
  talk: {
    path: "/test.v1.EchoService/Talk" as const,
    requestStream: true as const,
    responseStream: true as const,
    ...codec,
  },
} as const;

export type EchoHandlers = Handlers<typeof EchoService>;
export type EchoClient = RpcClient<typeof EchoService>;

/** Says back what it hears; `repeat` three times. */
export const echoHandlers: EchoHandlers = {
  say: ({ text }) => ({ text }),
  async *repeat({ text }) {
    for (let i = 0; i < 3; i++) yield await Promise.resolve({ text: `${text}${i}` });
  },
  async collect(requests) {
    const texts: string[] = [];
    for await (const { text } of requests) texts.push(text);
    return { text: texts.join(",") };
  },
  async *talk(requests) {
    for await (const { text } of requests) yield { text: `re: ${text}` };
  },
};

export interface EchoPair extends AsyncDisposable {
  server: RpcServer;
  client: EchoClient;
  port: number;
  probePort: number | undefined;
}

/** A server on a free loopback port and a client to it. */
export async function startEcho(
  handlers: Partial<EchoHandlers> = {},
  options: {
    server?: RpcServerOptions;
    client?: RpcClientOptions<typeof EchoService>;
  } = {},
): Promise<EchoPair> {
  const server = createRpcServer(options.server);
  server.addService(EchoService, { ...echoHandlers, ...handlers });
  const { port, probePort } = await server.start();
  const client = echoClient(port, options.client);
  return {
    server,
    client,
    port,
    probePort,
    async [Symbol.asyncDispose]() {
      client.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

export function echoClient(
  port: number | string,
  options?: RpcClientOptions<typeof EchoService>,
): EchoClient {
  const address = typeof port === "number" ? `127.0.0.1:${port}` : port;
  return createRpcClient({ service: EchoService }, address, options);
}

/** Resolves when the call's signal fires, with its reason. */
export function aborted({ signal }: CallContext): Promise<unknown> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(signal.reason);
    signal.addEventListener("abort", () => resolve(signal.reason), { once: true });
  });
}

/** A whole request of a caller that stays whatever comes; nobody reads its answer. */
export function requestOf(
  session: ClientHttp2Session,
  method: string,
  headers = {},
): ClientHttp2Stream {
  const stream = session.request({
    ":method": "POST",
    ":path": `/test.v1.EchoService/${method}`,
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  });
  const body = Buffer.from(JSON.stringify({ text: "a" }));
  const head = Buffer.alloc(5);
  head.writeUInt32BE(body.length, 1);
  stream.on("error", () => undefined);
  stream.end(Buffer.concat([head, body]));
  return stream;
}
