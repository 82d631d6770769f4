import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { feedback } from "@stagecraft/contracts";
import { StagecraftError, throwIfAborted } from "@stagecraft/core";
import { createRpcClient, type RpcClient, type RpcClientOptions } from "@stagecraft/rpc";
import type { StageContext } from "@stagecraft/runs";
import type { LoopConfig } from "./loop-config.js";

export type FeedbackClient = RpcClient<typeof feedback.FeedbackServiceService>;

/** Which service, and what it is shown. */
export type FeedbackTarget = Pick<
  LoopConfig,
  "feedbackAddress" | "feedbackTokenFile" | "feedbackTlsCa"
> &
  Partial<Pick<LoopConfig, "feedbackTlsCert" | "feedbackTlsKey" | "feedbackAllowPlaintext">>;

/** A connection to the feedback service that waits while nobody answers. */
export interface FeedbackConnection extends AsyncDisposable {
  /** Tries again, and says so once, until the service is there. */
  call<T>(work: (client: FeedbackClient) => Promise<T>): Promise<T>;
}

/** Connects to the service that the configuration names. */
export async function connectFeedback(
  config: LoopConfig,
  { signal, reporter }: Pick<StageContext, "signal" | "reporter">,
): Promise<FeedbackConnection> {
  const { feedbackAddress, pollMs } = config;
  const client = await createFeedbackClient(config);
  return {
    async call(work) {
      for (let told = false; ;) {
        throwIfAborted(signal);
        try {
          return await work(client);
        } catch (thrown) {
          const error = StagecraftError.from(thrown);
          if (error.code !== "unavailable" && error.code !== "deadline_exceeded") throw error;
          if (!told) reporter.warn(`no feedback service at ${feedbackAddress}: ${error.reason}`);
          told = true;
          await delay(pollMs, undefined, { signal }).catch(() => throwIfAborted(signal));
        }
      }
    },
    [Symbol.asyncDispose]: async () => client.close(),
  };
}

/** A client of the feedback service, with the token of a file and TLS where they are named. */
export async function createFeedbackClient(target: FeedbackTarget): Promise<FeedbackClient> {
  const { feedbackAddress, feedbackTokenFile: file, feedbackAllowPlaintext = false } = target;
  const token = file === "" ? "" : (await readFile(file, "utf8")).trim();
  const tls = tlsOf(target);
  const options: RpcClientOptions<typeof feedback.FeedbackServiceService> = {
    idempotent: ["addComparisons", "listFeedback", "listDemonstrations", "withdrawComparisons"],
    allowPlaintext: feedbackAllowPlaintext,
    ...(token === "" ? {} : { token }),
    ...(tls && { tls }),
  };
  return createRpcClient(feedback.FeedbackServiceClient, feedbackAddress, options);
}

/** Undefined when no file is named: plaintext. */
function tlsOf({
  feedbackTlsCa: caFile,
  feedbackTlsCert: certFile = "",
  feedbackTlsKey: keyFile = "",
}: FeedbackTarget) {
  const named = Object.entries({ caFile, certFile, keyFile }).filter(([, file]) => file !== "");
  return named.length === 0 ? undefined : Object.fromEntries(named);
}
