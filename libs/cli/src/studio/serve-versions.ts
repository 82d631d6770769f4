import { createSerialQueue, StagecraftError } from "@stagecraft/core";
import type { ServedModels } from "@stagecraft/service-gateway";
import type { EngineSettings } from "@stagecraft/fields";
import { openModel } from "../serve/open-model.js";
import { servedVersions, type StudioFiles } from "./studio-files.js";
import { createVersionSet } from "./version-set.js";

/** The models of a studio, each in a thread of its own; the one in use is the first. */
export interface ServedVersions {
  models: ServedModels;
  /** Opens what has become newer, and closes what is served no more and answers nothing. */
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
  { engine, warn }: { engine: EngineSettings; warn(text: string): void },
): Promise<ServedVersions> {
  const versions = createVersionSet((version) =>
    openModel({ ...version, engine, maxActive: 16, maxQueued: 256 }),
  );
  const queue = createSerialQueue();
  const reload = () => queue.run(async () => versions.replace(await servedVersions(files)));
  await reload();
  let told = "";
  // A version that cannot be opened leaves those before it in their place; that is said once.
  const look = () =>
    reload().then(
      () => void (told = ""),
      (thrown: unknown) => {
        const { message } = StagecraftError.from(thrown);
        if (message !== told) warn(`the version in use cannot be served: ${message}`);
        told = message;
      },
    );
  const timer = setInterval(() => void look(), LOOK_EVERY_MS);
  return {
    models: { policies: () => versions.policies(), rewards: () => new Map() },
    reload,
    async close() {
      clearInterval(timer);
      await queue.idle();
      await versions.close();
    },
  };
}
