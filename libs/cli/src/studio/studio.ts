import { readUsablePrompts } from "@stagecraft/learn";
import { ASSISTANT } from "@stagecraft/pipeline";
import { openRegistry } from "@stagecraft/registry";
import { createRpcServer } from "@stagecraft/rpc";
import { silentReporter } from "@stagecraft/runs";
import {
  addRequests,
  createFeedbackService,
  createRunCatalog,
  openPeopleServer,
  openStore,
  type Database,
} from "@stagecraft/service-gateway";
import { serveVersions } from "./serve-versions.js";
import type { EngineSettings } from "@stagecraft/fields";
import { findStudioFiles, registerFirst, type StudioFiles } from "./studio-files.js";
import { createStudioLoop } from "./studio-loop.js";

export interface StudioOptions {
  /** Runs with models, such as those of the demo. */
  from: string;
  /** 0 = any free one. */
  port: number;
  /** New rankings that a round waits for. */
  minRankings: number;
  /** PostgreSQL instead of the embedded database. */
  databaseUrl?: string;
  engine: EngineSettings;
  /** Told what goes wrong while the studio is open. */
  warn(text: string): void;
}

/** Pages, database, model and loop for people on one machine. */
export interface Studio extends AsyncDisposable {
  /** Where the pages are. */
  url: string;
  /** Signs the operator in, once. */
  signInLink: string;
}

const GRACE_MS = 2000;
/** Requests that writers find at first. */
const MAX_REQUESTS = 200;

/** Starts a studio; everything is on loopback. */
export async function openStudio(options: StudioOptions): Promise<Studio> {
  const files = await findStudioFiles(options.from);
  const running: (() => Promise<unknown>)[] = [];
  const close = async () => {
    for (const stop of running.splice(0).reverse()) await stop();
  };
  try {
    return { ...(await start(files, options, running)), [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Puts into `running` what is to be stopped, in the order in which it was started. */
async function start(
  files: StudioFiles,
  options: StudioOptions,
  running: (() => Promise<unknown>)[],
) {
  const { databaseUrl: url = "", minRankings, port, engine } = options;
  const database = await openStore({ dir: files.dir, url });
  running.push(() => database.close());
  await seedRequests(database, files.prompts);
  await registerFirst(files);
  const served = await serveVersions(files, options);
  running.push(() => served.close());
  const defaults = { ratersPerComparison: 1 };
  const rpc = createRpcServer();
  createFeedbackService({ database, defaults }).register(rpc);
  const feedbackAddress = `127.0.0.1:${(await rpc.start()).port}`;
  running.push(() => rpc.drain(GRACE_MS));
  const onRound = () => served.reload();
  const loop = createStudioLoop({
    ...{ files, database, minRankings, feedbackAddress, onRound, engine },
  });
  running.push(() => loop.close());
  const registry = {
    ...{ registry: openRegistry(files.registry), served: [ASSISTANT] },
    onChange: ({ name }: { name: string }) =>
      name === ASSISTANT ? served.reload() : Promise.resolve(),
  };
  const { models } = served;
  const alwaysLink = true;
  const runs = createRunCatalog({ dirs: [options.from] });
  const pages = await openPeopleServer({
    database,
    defaults,
    loop,
    port,
    models,
    alwaysLink,
    registry,
    runs,
  });
  running.push(() => pages.server.close());
  return { url: `${pages.origin}/`, signInLink: pages.signInLink! };
}

async function seedRequests(database: Database, prompts: string): Promise<void> {
  const context = { signal: new AbortController().signal, reporter: silentReporter() };
  const requests = await readUsablePrompts([prompts], { readers: [] }, context as never);
  const turns = requests.slice(0, MAX_REQUESTS).map(({ messages }) => [...messages]);
  await database.transact((tx) => addRequests(tx, turns as never));
}
