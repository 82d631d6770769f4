import { createSerialQueue } from "@stagecraft/core";
import type { ServedModels } from "@stagecraft/service-gateway";
import type { EngineSettings } from "@stagecraft/service-kit";
import { openModel, type OpenModel } from "../serve/open-model.js";
import { servedVersions, type StudioFiles, type Version } from "./studio-files.js";

/** The models of a studio, each in a thread of its own; the one in use is the first. */
export interface ServedVersions {
  models: ServedModels;
  /** Opens what has become newer, and closes what is served no more. */
  reload(): Promise<void>;
  close(): Promise<void>;
}

const LOOK_EVERY_MS = 2000;

/**
 * Serves the policy in use and the one before it, so that people can compare the two. What a command has put
 * to use in the registry is served by itself.
 */
export async function serveVersions(
  files: StudioFiles,
  { engine, threads }: EngineSettings,
): Promise<ServedVersions> {
  let current = new Map<string, OpenModel>();
  const open = (version: Version) =>
    openModel({ ...version, engine: { engine, threads }, maxActive: 16, maxQueued: 256 });
  const replace = async () => {
    const before = current;
    const opened = new Map<string, OpenModel>();
    for (const version of await servedVersions(files)) {
      opened.set(version.name, before.get(version.name) ?? (await open(version)));
    }
    current = opened;
    await closeAll([...before.values()].filter((model) => ![...opened.values()].includes(model)));
  };
  const queue = createSerialQueue();
  const reload = () => queue.run(replace);
  await reload();
  // A version that cannot be opened leaves those before it in their place.
  const timer = setInterval(() => void reload().catch(() => undefined), LOOK_EVERY_MS);
  return {
    models: {
      policies: () =>
        new Map([...current.values()].flatMap(({ models }) => [...models.policies()])),
      rewards: () => new Map(),
    },
    reload,
    async close() {
      clearInterval(timer);
      await queue.idle();
      await closeAll([...current.values()]);
    },
  };
}

async function closeAll(models: readonly OpenModel[]): Promise<void> {
  for (const model of models) await model[Symbol.asyncDispose]();
}
