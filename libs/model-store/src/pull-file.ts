import { createHash, type Hash } from "node:crypto";
import { mkdir, open, rm, stat, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { formatBytes, StagecraftError, throwIfAborted } from "@stagecraft/core";
import { hashInto } from "./local-files.js";
import type { ModelFile } from "./model-manifest.js";
import type { RemoteStore } from "./remote-store.js";
import type { TransferReporter } from "./transfer-progress.js";

export interface FileJob {
  key: string;
  file: ModelFile;
  path: string;
  signal?: AbortSignal | undefined;
  progress?: TransferReporter | undefined;
}

/** Attempts one after another that bring not a byte. */
const MAX_ATTEMPTS = 5;

/**
 * Brings a file, from the byte on that is there. A connection that is cut is tried again, from the byte that had
 * come, up to 5 times without a new one. Throws `data_loss` for a file that is not what its manifest says.
 */
export async function pullFile(store: RemoteStore, job: FileJob): Promise<void> {
  const { key, file, path, signal, progress } = job;
  await mkdir(dirname(path), { recursive: true });
  const present = await stat(path).then(
    ({ size }) => size,
    () => 0,
  );
  const from = present > file.sizeBytes ? 0 : present;
  const hash = createHash("sha256");
  await hashInto(hash, path, { signal, length: from });
  progress?.add(from);
  await using out = await open(path, from === 0 ? "w" : "r+");
  const coming = { out, hash, at: from };
  if (from < file.sizeBytes || file.sizeBytes === 0) await bringAll(store, job, coming);
  await out.sync();
  if (coming.at === file.sizeBytes && hash.digest("hex") === file.sha256) return;
  await rm(path, { force: true }); // or the next attempt would go on with it
  throw new StagecraftError(
    "data_loss",
    `${store.name}/${key} is not what its manifest says (${coming.at} of ${file.sizeBytes} bytes, or another sha256); pull again, and push the model anew if it stays so`,
    { details: { key } },
  );
}

interface Coming {
  out: FileHandle;
  hash: Hash;
  /** Bytes that are there. */
  at: number;
}

async function bringAll(store: RemoteStore, job: FileJob, coming: Coming): Promise<void> {
  const { file, signal, progress } = job;
  for (let numFailed = 0; ;) {
    const from = coming.at;
    const cut = await bring(store, job, coming).then(() => undefined, StagecraftError.from);
    if (cut === undefined) return;
    throwIfAborted(signal);
    numFailed = coming.at > from ? 1 : numFailed + 1;
    if (cut.code !== "unavailable" || numFailed === MAX_ATTEMPTS) throw cut;
    const next = `attempt ${numFailed + 1} of ${MAX_ATTEMPTS} goes on at ${formatBytes(coming.at)}`;
    progress?.say(`${file.name}: ${cut.reason}; ${next}`);
    await delay(50 * 2 ** numFailed, undefined, { signal }).catch(() => throwIfAborted(signal));
  }
}

async function bring(
  store: RemoteStore,
  { key, signal, progress }: FileJob,
  coming: Coming,
): Promise<void> {
  for await (const chunk of store.download(key, coming.at, { signal })) {
    throwIfAborted(signal);
    await coming.out.write(chunk, 0, chunk.length, coming.at);
    coming.hash.update(chunk);
    coming.at += chunk.length;
    progress?.add(chunk.length);
  }
}
