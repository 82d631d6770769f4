import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { MlflowBatch, MlflowPoint } from "../../src/sinks/mlflow-client.js";

interface FakeRun {
  name: string;
  status: string;
  points: MlflowPoint[];
  params: Record<string, string>;
}

/** A server that keeps what MLflow would, for tests. */
export interface FakeMlflow extends AsyncDisposable {
  url: string;
  runs: FakeRun[];
  /** What to do with the next calls, first come first served; afterwards it answers. */
  failures: ("503" | "hang up" | "lose the answer")[];
  /** The next calls of this name are refused as by a busy server. */
  failAt(path: string, times: number): void;
  authorizations: Set<string | undefined>;
}

/** See FakeMlflow. */
export async function openFakeMlflow(): Promise<FakeMlflow> {
  const runs: FakeRun[] = [];
  const failures: FakeMlflow["failures"] = [];
  const authorizations = new Set<string | undefined>();
  const busy = new Map<string, number>();
  const isBusy = (url = "") => {
    const path = [...busy.keys()].find((each) => url.endsWith(each));
    const times = busy.get(path ?? "") ?? 0;
    if (times > 0) busy.set(path!, times - 1);
    return times > 0;
  };
  const server: Server = createServer((request, response) => {
    void (async () => {
      const body = await bodyOf(request);
      authorizations.add(request.headers.authorization);
      const failure = failures.shift();
      if (failure === "hang up") return void request.socket.destroy();
      if (failure === "503" || isBusy(request.url)) return void response.writeHead(503).end("busy");
      const [status, answer] = answerTo(request.url ?? "", body, runs);
      if (failure === "lose the answer") return void request.socket.destroy();
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(answer));
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    ...{ url: `http://ann:secret@127.0.0.1:${port}`, runs, failures, authorizations },
    failAt: (path, times) => void busy.set(path, times),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function bodyOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  let text = "";
  for await (const chunk of request) text += String(chunk);
  return JSON.parse(text || "{}") as Record<string, unknown>;
}

function answerTo(url: string, body: Record<string, unknown>, runs: FakeRun[]): [number, object] {
  const { pathname, searchParams } = new URL(url, "http://x");
  const runOf = (id: unknown) => runs[Number(id)]!;
  switch (pathname.replace("/api/2.0/mlflow/", "")) {
    case "experiments/get-by-name":
      return [404, { error_code: "RESOURCE_DOES_NOT_EXIST" }];
    case "experiments/create":
      return [200, { experiment_id: "7" }];
    case "runs/create":
      runs.push({ name: String(body["run_name"]), status: "RUNNING", points: [], params: {} });
      return [200, { run: { info: { run_id: String(runs.length - 1) } } }];
    case "runs/log-batch": {
      const { metrics = [], params = [] } = body as MlflowBatch & { metrics?: MlflowPoint[] };
      const run = runOf(body["run_id"]);
      run.points.push(...metrics);
      for (const { key, value } of params) run.params[key] = value;
      return [200, {}];
    }
    case "runs/update":
      runOf(body["run_id"]).status = String(body["status"]);
      return [200, {}];
    case "metrics/get-history": {
      const { points } = runOf(searchParams.get("run_id"));
      return [200, { metrics: points.filter(({ key }) => key === searchParams.get("metric_key")) }];
    }
    default:
      return [400, { error_code: "UNKNOWN", url }];
  }
}
