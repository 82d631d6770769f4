import { existsSync } from "node:fs";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/** An empty database of PGlite, made once: making one takes seconds, unpacking it half of one. */
export async function pgliteTemplate(): Promise<Blob> {
  const folder = dirname(createRequire(import.meta.url).resolve("@electric-sql/pglite"));
  const { version } = JSON.parse(await readFile(join(folder, "..", "package.json"), "utf8")) as {
    version: string;
  };
  const cache = new URL("../../../node_modules/.cache/stagecraft/", import.meta.url).pathname;
  const file = join(cache, `pglite-${version}.tar`);
  if (!existsSync(file)) await makeTemplate(file);
  return new Blob([new Uint8Array(await readFile(file))]);
}

async function makeTemplate(file: string): Promise<void> {
  const { PGlite } = await import("@electric-sql/pglite");
  const database = await PGlite.create();
  const dump = await database.dumpDataDir("none");
  await database.close();
  await mkdir(dirname(file), { recursive: true });
  const draft = `${file}.${process.pid}`;
  await writeFile(draft, new Uint8Array(await dump.arrayBuffer()));
  await rename(draft, file); // whole or not at all: other tests look for it
}
