import { mkdir, readFile } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { acquireDirectoryLock, atomicWriteFile, type DirectoryLock } from "@stagecraft/checkpoint";
import { StagecraftError } from "@stagecraft/core";
import {
  emptyRegistry,
  parseRegistry,
  registryText,
  type RegistryContent,
} from "./registry-content.js";

const WAIT_MS = 10_000;
const RETRY_MS = 25;

/** What the file holds; nothing when there is none. Throws `data_loss` for a damaged one. */
export async function readRegistry(file: string): Promise<RegistryContent> {
  try {
    return parseRegistry(await readFile(file, "utf8"), file);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return emptyRegistry();
    throw StagecraftError.from(thrown);
  }
}

/** Reads, changes and replaces the file as one step; others wait. */
export async function changeRegistry<T>(
  file: string,
  change: (content: RegistryContent) => T,
): Promise<T> {
  const lock = await lockFor(file);
  try {
    const content = await readRegistry(file);
    const result = change(content);
    await atomicWriteFile(file, registryText(content), { guard: () => lock.check() });
    return result;
  } finally {
    await lock.release();
  }
}

/** Whoever holds it is done in milliseconds. */
async function lockFor(file: string): Promise<DirectoryLock> {
  await mkdir(dirname(file), { recursive: true });
  const options = { file: `${basename(file)}.lock`, what: "registry of models" };
  const until = Date.now() + WAIT_MS;
  for (;;) {
    try {
      return await acquireDirectoryLock(dirname(file), options);
    } catch (thrown) {
      const { code } = StagecraftError.from(thrown);
      if (code !== "failed_precondition" || Date.now() > until) throw thrown;
      await delay(RETRY_MS);
    }
  }
}
