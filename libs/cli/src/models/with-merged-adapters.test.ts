import { mkdir, writeFile } from "node:fs/promises";
import { evaluateSchema, parseModel } from "@stagecraft/eval";
import { tempDir } from "@stagecraft/testing";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { mergedAdapter } from "./adapter-argument.js";
import { withMergedAdapters } from "./with-merged-adapters.js";
import { writeModelAs } from "./write-model.js";

vi.mock("./write-model.js", () => ({ writeModelAs: vi.fn() }));

const put = async ({ out }: { out: string }) => {
  await mkdir(out, { recursive: true });
  return { dtype: "f32" as const, numParams: 0 };
};

beforeEach(() => void vi.mocked(writeModelAs).mockImplementation((_, how) => put(how)));
afterEach(() => {
  vi.unstubAllEnvs();
  vi.mocked(writeModelAs).mockReset();
});

/** Adapters of one base, which are only named and hashed here. */
async function createRig(...names: string[]) {
  const dir = await tempDir();
  vi.stubEnv("STAGECRAFT_MODELS_CACHE", dir.file("cache"));
  await mkdir(dir.file("base"));
  await writeFile(dir.file("base/config.json"), "{}");
  const adapters = names.map((name) => dir.file(name));
  for (const adapter of adapters) {
    await mkdir(adapter, { recursive: true });
    const config = { base_model_name_or_path: dir.file("base"), adapter };
    await writeFile(`${adapter}/adapter_config.json`, JSON.stringify(config));
  }
  return { dir, adapters, [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose]() };
}

describe("withMergedAdapters()", () => {
  it("figures of an unnamed adapter carry its path, not that of the merged copy", async () => {
    await using rig = await createRig("a/adapter", "b/adapter");
    const [one, two] = rig.adapters as [string, string];
    const models = [one, `${two}/`, `mine=${one}`];
    const given = evaluateSchema.parse({ models, rewardModel: one });
    const config = await withMergedAdapters(given, { info: () => undefined });
    const named = (path: string) => path.slice(1).replaceAll("/", "_");
    const read = config.models.map(parseModel);
    expect(read.map(({ name }) => name)).toEqual([named(one), named(two), "mine"]);
    for (const dir of [...read.map(({ dir }) => dir), config.rewardModel]) {
      expect(dir.startsWith(rig.dir.file("cache/merged-adapter-"))).toBe(true);
    }
  });
});

describe("mergedAdapter()", () => {
  it("two that merge the same adapter at once: one waits, and takes what the other has made", async () => {
    await using rig = await createRig("adapter");
    const settings = { modelsCache: rig.dir.file("cache") } as never;
    const merge = (info?: (text: string) => void) =>
      mergedAdapter(rig.adapters[0]!, {
        settings: () => Promise.resolve(settings),
        ...(info && { info }),
      });
    let second: Promise<string | undefined> | undefined;
    vi.mocked(writeModelAs).mockImplementationOnce(async (_, how) => {
      await new Promise<void>((resolve) => {
        vi.mocked(writeModelAs).mockImplementationOnce((_, again) => (resolve(), put(again)));
        second = merge((text) => void (text.includes("waiting for it") && resolve()));
      });
      return put(how);
    });
    const first = await merge();
    expect(await second).toBe(first);
    expect(writeModelAs).toHaveBeenCalledTimes(1);
  });
});
