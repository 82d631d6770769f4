import { join } from "node:path";
import { common, feedback } from "@stagecraft/contracts";
import { createRpcClient } from "@stagecraft/rpc";
import { freePort, signInByLink, waitFor, type PagesClient } from "@stagecraft/testing";
import type { Mutation } from "../fault-row.js";
import { startService, type ServiceProcess } from "./service-process.js";

const CHUNK = 500;
const NUM_ANSWERS = 4;

/** A gateway's process that is killed and started again; its pages keep their address. */
export interface PeopleGateway extends AsyncDisposable {
  /** `kill -9`, and a new process on the same database. */
  restart(): Promise<void>;
  /** The end of its output where it ended by itself. */
  lastWords(): string | undefined;
  addComparisons(number: number): Promise<void>;
  /** Somebody new who is signed in. */
  invite(name: string, role: string): Promise<PagesClient>;
  operator: PagesClient;
  /** Everything that is stored, revised rankings too. */
  feedback(): Promise<feedback.Feedback[]>;
}

export interface PeopleGatewayOptions {
  dir: string;
  /** Empty: PGlite in the folder. */
  databaseUrl: string;
  mutations: readonly Mutation[];
}

/** Starts the gateway and signs its operator in. */
export async function startPeopleGateway(options: PeopleGatewayOptions): Promise<PeopleGateway> {
  const { dir, databaseUrl, mutations } = options;
  const httpPort = await freePort();
  const flags = {
    "feedback-dir": join(dir, "feedback"),
    "http-port": httpPort,
    "raters-per-comparison": 100,
    ...(databaseUrl && { "database-url": databaseUrl }),
  };
  const start = () => startService("gateway", { flags, mutations });
  let gateway: ServiceProcess = await start();
  await gateway.serving();
  const operator = await signInByLink(/"link":"([^"]+)"/.exec(gateway.output())![1]!);
  await operator.ok("PATCH", "/api/operator/settings", { goldShare: 0 });
  const withClient = async <T>(work: (client: Client) => Promise<T>): Promise<T> => {
    const client = clientOf(await gateway.serving());
    return work(client).finally(() => client.close());
  };
  return {
    operator,
    async restart() {
      await gateway.kill("SIGKILL");
      gateway = await start();
      await gateway.serving();
    },
    lastWords: () => (gateway.hasEnded() ? gateway.output().slice(-1000) : undefined),
    async addComparisons(number) {
      for (let i = 0; i < number; i += CHUNK) {
        const ids = Array.from({ length: Math.min(CHUNK, number - i) }, (_, j) => `c${i + j}`);
        const comparisons = ids.map(comparisonOf);
        await withClient((client) => client.addComparisons({ comparisons }));
      }
    },
    async invite(name, role) {
      const person = { name, roles: [role] };
      const { link } = await operator.ok<{ link: string }>("POST", "/api/people/invite", person);
      return signInByLink(link);
    },
    feedback: () => withClient(readAll),
    [Symbol.asyncDispose]: () => gateway.kill("SIGKILL"),
  };
}

type Client = ReturnType<typeof clientOf>;

const clientOf = (address: string) => createRpcClient(feedback.FeedbackServiceClient, address);

async function readAll(client: Client): Promise<feedback.Feedback[]> {
  const all: feedback.Feedback[] = [];
  const request = { kind: feedback.FeedbackKind.UNSPECIFIED, pageSize: 1000 };
  for (let pageToken = ""; ;) {
    const page = await client.listFeedback({ ...request, pageToken, includeRevised: true });
    all.push(...page.feedback);
    if (!page.hasMore) return all;
    pageToken = page.nextPageToken;
  }
}

function comparisonOf(comparisonId: string): feedback.Comparison {
  const prompt = { messages: [{ role: common.Role.USER, content: `question ${comparisonId}` }] };
  const answers = Array.from({ length: NUM_ANSWERS }, (_, i) => `answer ${i} to ${comparisonId}`);
  return { comparisonId, prompt, answers, kind: "", modelVersion: "m@1", batch: "" };
}

/** Waits until PostgreSQL, which was killed, lets itself be started: its processes may still be ending. */
export async function startAgain(postgres: { start(): Promise<void> }): Promise<void> {
  const started = () => postgres.start().then(() => true);
  await waitFor(started, { what: "PostgreSQL to start again", timeoutMs: 60_000, intervalMs: 100 });
}
