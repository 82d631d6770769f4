import { spawnSync } from "node:child_process";
import { mkdir, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { formatBytes, StagecraftError } from "@stagecraft/core";

const PROGRAMS = ["nats-server", "/usr/sbin/nats-server", "/usr/local/bin/nats-server"];
/** Of the free space, the most that the broker may fill: on a full disk it hangs without a word. */
const DISK_SHARE = 0.75;
/** What the streams and buckets of a run reserve together. */
const NEEDED_BYTES = 5 * 1024 ** 3;

/** Throws `failed_precondition` when there is none. */
export function findNatsServer(): string {
  const found = PROGRAMS.find((program) => spawnSync(program, ["--version"]).status === 0);
  if (found !== undefined) return found;
  throw new StagecraftError(
    "failed_precondition",
    "nats-server (2.9 or later) is not on the PATH: run `npm run up`, which installs it on Debian as root, " +
      "or `sudo apt-get install nats-server`, `brew install nats-server`, " +
      "or get it from https://github.com/nats-io/nats-server/releases",
  );
}

/** Writes the broker's configuration into its folder and returns the file. */
export async function writeNatsConfig(dir: string, port: number): Promise<string> {
  const store = join(dir, "store");
  await mkdir(store, { recursive: true });
  const maxFile = Math.floor((await freeBytes(store)) * DISK_SHARE);
  if (maxFile < NEEDED_BYTES) {
    throw new StagecraftError(
      "resource_exhausted",
      `${dir}: the message broker may use ${formatBytes(maxFile)} of this disk and needs ${formatBytes(NEEDED_BYTES)}; make room, or put the cluster elsewhere with --dir`,
    );
  }
  const file = join(dir, "nats.conf");
  const lines = [
    `listen: 127.0.0.1:${port}`,
    `jetstream { store_dir: ${JSON.stringify(store)}, max_mem: 64MB, max_file: ${maxFile} }`,
  ];
  await writeFile(file, `${lines.join("\n")}\n`);
  return file;
}

/** Space left on the disk of a folder. */
export async function freeBytes(dir: string): Promise<number> {
  const { bavail, bsize } = await statfs(dir);
  return bavail * bsize;
}

/** Less is as good as full: the broker writes blocks. */
const FULL_BYTES = 1024 ** 2;
const ENOUGH_BYTES = 16 * FULL_BYTES;

/**
 * Once the broker's disk was full, some of its streams stand still when there is space again (seen in
 * nats-server 2.9.10; its health says ok all the while). Tells, once, that it has to be started again.
 */
export function createDiskWatch(options: {
  freeBytes: () => Promise<number>;
  onFull: () => void;
}): () => Promise<string | undefined> {
  let wasFull = false;
  return async () => {
    const free = await options.freeBytes();
    if (free < FULL_BYTES && !wasFull) {
      wasFull = true;
      options.onFull();
    }
    if (!wasFull || free < ENOUGH_BYTES) return undefined;
    wasFull = false;
    return "its disk was full, and streams may stand still since";
  };
}
