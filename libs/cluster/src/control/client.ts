import { existsSync } from "node:fs";
import { request } from "node:http";
import { ERROR_CODES, StagecraftError, type ErrorCode } from "@stagecraft/core";
import type { ClusterLayout } from "../layout.js";
import type { ScalableService } from "../options.js";
import type { ClusterStatus } from "../status/types.js";
import type { StopOutcome } from "../supervised-process.js";

/** Talks to the process that runs a cluster. All throw `not_found` when none does. */
export interface ControlClient {
  status(): Promise<ClusterStatus>;
  scale(service: ScalableService, count: number): Promise<StopOutcome[]>;
  /** Resolves when all reward models serve the directory. */
  useRewardModel(dir: string): Promise<void>;
  stop(): Promise<StopOutcome[]>;
}

interface Ended {
  ended: StopOutcome[];
}

/** For the cluster in a folder. */
export function connectControl(layout: ClusterLayout): ControlClient {
  const call = <T>(method: string, path: string, body?: object) =>
    callControl<T>(layout, { method, path, body });
  return {
    status: () => call<ClusterStatus>("GET", "/status"),
    scale: async (service, count) =>
      (await call<Ended>("POST", "/scale", { service, count })).ended,
    useRewardModel: async (dir) => void (await call("POST", "/reward-model", { dir })),
    stop: async () => (await call<Ended>("POST", "/stop")).ended,
  };
}

interface ControlCall {
  method: string;
  path: string;
  body: object | undefined;
}

async function callControl<T>(
  { dir, socket }: ClusterLayout,
  { method, path, body }: ControlCall,
): Promise<T> {
  if (!existsSync(socket)) throw notRunning(dir);
  const { status, text } = await exchange(socket, { method, path, body }).catch(
    (cause: unknown) => {
      // ECONNREFUSED: the socket of a process that was killed.
      throw notRunning(dir, cause);
    },
  );
  const answer = JSON.parse(text) as T & { code?: string; message?: string };
  if (status === 200) return answer;
  const code = ERROR_CODES.find((known) => known === answer.code) ?? ("internal" as ErrorCode);
  throw new StagecraftError(code, answer.message ?? `the cluster answered ${status}`);
}

function exchange(
  socketPath: string,
  { method, path, body }: ControlCall,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, method, path }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
      response.on("error", reject);
    });
    sent.on("error", reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

function notRunning(dir: string, cause?: unknown): StagecraftError {
  return new StagecraftError(
    "not_found",
    `no cluster runs in ${dir}; start one with \`npm run up\`, or name its folder with --dir`,
    { cause },
  );
}
