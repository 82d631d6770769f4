import { mkdtemp, mkdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** A temporary directory with files of the given contents, removed when the scope ends. */
export async function tempDir(files: Record<string, string | Uint8Array> = {}) {
  const dir = await mkdtemp(join(tmpdir(), "data-"));
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(dir, name)), { recursive: true });
    await writeFile(join(dir, name), content);
  }
  return {
    dir,
    path: (name: string) => join(dir, name),
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true }),
  };
}

/** Everything an asynchronous iterable gives. */
export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
