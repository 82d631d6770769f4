import type { JetStreamOptions } from "@stagecraft/bus";
import type { RpcServerOptions } from "@stagecraft/rpc";
import type { z } from "zod";
import type { busFields, engineFields, serverFields } from "./fields.js";

/** Parsed `serverFields`. */
export type ServerSettings = Fields<ReturnType<typeof serverFields>>;
/** Parsed `busFields`. */
export type BusSettings = Fields<typeof busFields>;
/** Parsed `engineFields`. */
export type EngineSettings = Fields<typeof engineFields>;

type Fields<S extends z.ZodRawShape> = z.infer<z.ZodObject<S>>;

/** What `createRpcServer` needs of the settings. */
export function serverOptions(config: ServerSettings): RpcServerOptions {
  const { host, port, allowPlaintext, reflection, tokens, tlsClientCa } = config;
  const tls = {
    certFile: config.tlsCert,
    keyFile: config.tlsKey,
    ...(tlsClientCa === "" ? {} : { clientCaFile: tlsClientCa }),
  };
  return {
    host,
    port,
    allowPlaintext,
    reflection,
    ...(config.tlsCert === "" ? {} : { tls }),
    ...(tokens.length === 0 ? {} : { auth: { tokens } }),
  };
}

/** What `createJetStreamBus` needs of the settings, a name apart. */
export function busOptions(
  config: BusSettings & Pick<ServerSettings, "allowPlaintext">,
): Pick<JetStreamOptions, "servers" | "token" | "allowPlaintext"> {
  const { natsUrl, natsToken, allowPlaintext } = config;
  return {
    servers: natsUrl.split(","),
    allowPlaintext,
    ...(natsToken === "" ? {} : { token: natsToken }),
  };
}

/** What `initEngine` needs of the settings. */
export function engineOptions({ engine, threads }: EngineSettings): {
  engine: EngineSettings["engine"];
  numThreads?: number;
} {
  return { engine, ...(threads > 0 ? { numThreads: threads } : {}) };
}
