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
  const { bavail, bsize } = await statfs(store);
  const maxFile = Math.floor(bavail * bsize * DISK_SHARE);
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
