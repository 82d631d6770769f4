import { setTimeout as delay } from "node:timers/promises";
import { StagecraftError } from "@stagecraft/core";
import { isWorthAnother, reach, type Reaching } from "./reach.js";

/** MLflow's REST API, version 2.0. */
export interface MlflowClient {
  /** Id of the experiment of that name, made when it is not there. */
  experiment(name: string): Promise<string>;
  createRun(run: { experimentId: string; name: string; startTime: number }): Promise<string>;
  logBatch(runId: string, batch: MlflowBatch): Promise<void>;
  /** Points alone, tried once: whether they arrived before the connection broke is for the caller to ask. */
  logPoints(runId: string, metrics: MlflowPoint[]): Promise<void>;
  updateRun(runId: string, how: { status: string; endTime?: number }): Promise<void>;
  /** Whether a point is there already. */
  hasPoint(runId: string, point: MlflowPoint): Promise<boolean>;
}

export interface MlflowPoint {
  key: string;
  value: number;
  timestamp: number;
  step: number;
}

export interface MlflowBatch {
  params?: { key: string; value: string }[];
  tags?: { key: string; value: string }[];
}

/** How often a call is tried. */
export const ATTEMPTS = 3;
const TIMEOUT_MS = 10_000;

/** Calls are repeated when the server is away or overloaded; throws `unavailable` when it stays so. */
export function createMlflowClient(
  address: string,
  { firstDelayMs = 250, ...reaching }: { firstDelayMs?: number } & Reaching = {},
): MlflowClient {
  const { base, headers } = targetOf(address);
  let isReached = false; // by the last call
  const once = async (asked: Asked) => {
    if (!isReached) await reach(base, reaching);
    isReached = false;
    const answer = await callOnce({ base, headers }, asked);
    isReached = true;
    return answer;
  };
  const call = async (method: "GET" | "POST", path: string, body: object) => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await once({ method, path, body });
      } catch (thrown) {
        const error = StagecraftError.from(thrown);
        if (!isWorthAnother(error) || attempt === ATTEMPTS) throw error;
        await delay(firstDelayMs * 2 ** (attempt - 1));
      }
    }
  };
  const post = (path: string, body: object) => call("POST", path, body);
  return {
    async experiment(name) {
      const found = await call("GET", "experiments/get-by-name", { experiment_name: name }).catch(
        ifNotFound,
      );
      const known = (found?.["experiment"] as { experiment_id?: string } | undefined)
        ?.experiment_id;
      if (known !== undefined) return known;
      return (await post("experiments/create", { name }))["experiment_id"] as string;
    },
    async createRun({ experimentId, name, startTime }) {
      const given = { experiment_id: experimentId, run_name: name, start_time: startTime };
      const { run } = await post("runs/create", given);
      return (run as { info: { run_id: string } }).info.run_id;
    },
    async logBatch(runId, batch) {
      await post("runs/log-batch", { run_id: runId, ...batch });
    },
    async logPoints(runId, metrics) {
      const body = { run_id: runId, metrics };
      await once({ method: "POST", path: "runs/log-batch", body });
    },
    async updateRun(runId, { status, endTime }) {
      await post("runs/update", {
        ...{ run_id: runId, status },
        ...(endTime !== undefined && { end_time: endTime }),
      });
    },
    async hasPoint(runId, { key, timestamp, step }) {
      const given = { run_id: runId, metric_key: key };
      const { metrics } = await call("GET", "metrics/get-history", given);
      const points = (metrics ?? []) as { timestamp: number | string; step?: number | string }[];
      return points.some(
        (each) => Number(each.timestamp) === timestamp && Number(each.step ?? 0) === step,
      );
    },
  };
}

interface Asked {
  method: "GET" | "POST";
  path: string;
  body: object;
}

interface Target {
  base: URL;
  headers: Record<string, string>;
}

/** Name and password may stand in the address; they go as a header. */
function targetOf(address: string): Target {
  if (!URL.canParse(address) || !/^https?:/.test(address)) {
    throw new StagecraftError(
      "invalid_argument",
      `${JSON.stringify(address)} is no address of an MLflow server; give one such as http://127.0.0.1:5000`,
    );
  }
  const base = new URL(address);
  const { username, password } = base;
  base.username = base.password = "";
  if (!base.pathname.endsWith("/")) base.pathname += "/";
  const secret = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  const authorization = `Basic ${Buffer.from(secret).toString("base64")}`;
  return { base, headers: username === "" ? {} : { authorization } };
}

async function callOnce(
  { base, headers }: Target,
  { method, path, body }: Asked,
): Promise<Record<string, unknown>> {
  const url = new URL(`api/2.0/mlflow/${path}`, base);
  if (method === "GET") url.search = new URLSearchParams(Object.entries(body)).toString();
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const json = { ...headers, "content-type": "application/json" };
  const init = method === "GET" ? { headers } : { headers: json, body: JSON.stringify(body) };
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, { method, signal, ...init });
    text = await response.text();
  } catch (cause) {
    throw new StagecraftError("unavailable", `${base.origin} does not answer`, { cause });
  }
  if (response.ok) return JSON.parse(text || "{}") as Record<string, unknown>;
  throw new StagecraftError(
    codeOf(response.status),
    `${base.origin} answers ${response.status} to ${path}: ${text.slice(0, 200)}`,
  );
}

function codeOf(status: number) {
  if (status === 404) return "not_found";
  if (status === 401 || status === 403) return "permission_denied";
  return status === 429 || status >= 500 ? "unavailable" : "invalid_argument";
}

function ifNotFound(thrown: unknown): undefined {
  if (StagecraftError.from(thrown).code !== "not_found") throw thrown;
}
