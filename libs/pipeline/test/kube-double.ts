import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

type Fields = Record<string, unknown>;
interface Stored extends Fields {
  metadata: { name: string; deletionTimestamp?: string; annotations?: Record<string, string> };
  status?: Fields;
}
interface Pod {
  job: string;
  name: string;
  status: Fields;
  lines: string[];
}

/** An API server as far as pipelines use it. What becomes of a Job is the test's. */
export interface KubeDouble extends AsyncDisposable {
  readonly url: string;
  readonly configMaps: Map<string, Stored>;
  readonly jobs: Map<string, Stored>;
  readonly pods: Pod[];
  /** `POST /apis/…` of every call that changes something. */
  readonly changes: string[];
  /** Called when a Job was made; default: nothing becomes of it. */
  onJob: (name: string, double: KubeDouble) => void;
  /** Answers that are to be 503. */
  numAway: number;
  /** Calls that came with another token. */
  numRefused: number;
}

/** Lines of a log with a time each, as the kubelet gives them. */
let clock = 0;
const timed = (line: string) => `2026-01-01T00:00:00.${String(++clock).padStart(9, "0")}Z ${line}`;

/** A pod of the Job that says something and ends with a code; the Job ends with it. */
export function endWith(double: KubeDouble, job: string, code: number, lines: string[] = []): void {
  const terminated = { exitCode: code, reason: code === 0 ? "Completed" : "Error" };
  const status = {
    phase: code === 0 ? "Succeeded" : "Failed",
    containerStatuses: [{ state: { terminated } }],
  };
  const name = `${job}-${double.pods.length}`;
  double.pods.push({ job, name, status, lines: lines.map(timed) });
  const type = code === 0 ? "Complete" : "Failed";
  const message = code === 0 ? "" : `Container stage for pod ${name} failed with exit code ${code}`;
  double.jobs.get(job)!.status = { conditions: [{ type, status: "True", message }] };
}

export async function startKubeDouble({ token }: { token: string }): Promise<KubeDouble> {
  const double = {
    ...{
      configMaps: new Map<string, Stored>(),
      jobs: new Map<string, Stored>(),
      pods: [] as Pod[],
    },
    ...{ changes: [] as string[], numAway: 0, numRefused: 0, url: "" },
    onJob: (() => undefined) as KubeDouble["onJob"],
  };
  const server = createServer((request, response) => {
    void answer(request, response);
  });
  const result = Object.assign(double, {
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const { method = "" } = request;
    const url = new URL(request.url ?? "", "http://x");
    const body = await bodyOf(request);
    if (request.headers.authorization !== `Bearer ${token}`) {
      double.numRefused++;
      return fail(response, 401, "Unauthorized");
    }
    if (double.numAway > 0) {
      double.numAway--;
      return fail(response, 503, "away");
    }
    const [, kind, name, sub] =
      /^\/(?:api\/v1|apis\/batch\/v1)\/namespaces\/ns\/(configmaps|jobs|pods)(?:\/([^/]+))?(?:\/(log))?$/.exec(
        url.pathname,
      ) ?? [];
    if (method !== "GET")
      double.changes.push(`${method} ${kind} ${name ?? (body as Stored).metadata.name}`);
    if (kind === "pods") return podAnswer(response, url, { name, sub });
    const objects = kind === "jobs" ? double.jobs : double.configMaps;
    if (method === "POST") {
      const { metadata } = body as Stored;
      if (objects.has(metadata.name)) return fail(response, 409, `${metadata.name} already exists`);
      objects.set(metadata.name, body as Stored);
      if (kind === "jobs") double.onJob(metadata.name, result);
      return send(response, 201, body);
    }
    const found = objects.get(name ?? "");
    if (!found) return fail(response, 404, `${kind} "${name}" not found`);
    if (method === "PUT") objects.set(name!, body as Stored);
    if (method === "DELETE") {
      if ((body as Fields)["propagationPolicy"] !== "Foreground")
        return fail(response, 422, "how?");
      objects.delete(name!);
      for (const pod of double.pods.filter(({ job }) => job === name)) {
        double.pods.splice(double.pods.indexOf(pod), 1);
      }
    }
    return send(response, 200, objects.get(name!) ?? {});
  };
  const podAnswer = (
    response: ServerResponse,
    url: URL,
    { name, sub }: { name: string | undefined; sub: string | undefined },
  ) => {
    if (sub !== "log") {
      const job = /job-name=(.*)$/.exec(url.searchParams.get("labelSelector") ?? "")?.[1];
      const items = double.pods.filter((pod) => pod.job === job);
      return send(response, 200, {
        items: items.map((pod) => ({ metadata: { name: pod.name }, status: pod.status })),
      });
    }
    const pod = double.pods.find((each) => each.name === name);
    if (!pod) return fail(response, 404, "no such pod");
    // The real one counts whole seconds: what was told before may come again.
    response.writeHead(200).end(pod.lines.map((line) => `${line}\n`).join(""));
  };
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  double.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return result;
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return chunks.length === 0 ? {} : JSON.parse(Buffer.concat(chunks).toString());
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

function fail(response: ServerResponse, status: number, message: string): void {
  send(response, status, { kind: "Status", message });
}
