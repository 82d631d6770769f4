import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { silentReporter } from "@stagecraft/runs";
import { prepareDemoDirectory } from "./demo-directory.js";
import type { DemoOptions } from "./presets.js";

let out: string;
let warnings: string[];
beforeEach(async () => {
  out = await mkdtemp(join(tmpdir(), "stagecraft-demo-"));
  warnings = [];
});
afterEach(() => rm(out, { recursive: true, force: true }));

async function put(...names: string[]): Promise<void> {
  for (const name of names) {
    await mkdir(dirname(join(out, name)), { recursive: true });
    await writeFile(join(out, name), "{}");
  }
}

function prepare(options: Partial<DemoOptions> & { fresh?: boolean } = {}) {
  const reporter = silentReporter({ warn: (text) => warnings.push(text) });
  return prepareDemoDirectory({ preset: "tiny", seed: 1, fresh: false, out, ...options }, reporter);
}

const names = async () => (await readdir(out)).sort();

describe("prepareDemoDirectory()", () => {
  it("a second demo deletes nothing: not the finished one, not mine", async () => {
    await prepare();
    await put("pipeline.json", "world/run.json", "notes.txt");
    const before = await names();
    await prepare();
    expect(await names()).toEqual(before);
    expect(warnings).toEqual([]);
  });

  it("--fresh deletes all but the lock, and says what", async () => {
    await prepare();
    await put("pipeline.json", "world/run.json", "notes.txt", "run.lock");
    await prepare({ fresh: true, seed: 2 });
    expect(await names()).toEqual(["demo-recipe.json", "run.lock"]);
    expect(warnings).toEqual([
      expect.stringMatching(
        /^--fresh: deleting all of .*: demo-recipe.json, notes.txt, pipeline.json, world$/,
      ),
    ]);
    await prepare({ seed: 2 });
  });

  it("goes on with a deletion that was interrupted, and asks for no second --fresh", async () => {
    await prepare();
    const file = join(out, "demo-recipe.json");
    const recipe = JSON.parse(await readFile(file, "utf8")) as object;
    await writeFile(file, JSON.stringify({ ...recipe, clearing: true }));
    await put("pipeline.json", "world/half.json");
    await prepare();
    expect(await names()).toEqual(["demo-recipe.json"]);
  });

  const refused: [what: string, says: string, options: Partial<DemoOptions>][] = [
    ["another seed", "--seed 1, not --preset tiny --seed 2", { seed: 2 }],
    ["another preset", "--preset tiny --seed 1, not --preset default", { preset: "default" }],
    ["another engine", "--seed 1, not --preset tiny --seed 1 --engine xla", { engine: "xla" }],
  ];
  for (const [what, says, options] of refused) {
    it(`refuses a demo of ${what} and names --fresh`, async () => {
      await prepare();
      await put("pipeline.json");
      const message = expect.stringMatching(`${says}.* --out.* --fresh`) as string;
      await expect(prepare(options)).rejects.toMatchObject({
        code: "failed_precondition",
        message,
      });
      expect(await names()).toContain("pipeline.json");
    });
  }

  it("refuses a demo of an older version, with or without a recipe, and names --fresh", async () => {
    await put("pipeline.json", "world/run.json");
    await expect(prepare()).rejects.toThrow(/older version.* --fresh/);
    const older = { preset: "tiny", seed: 1, fingerprint: "that of another recipe" };
    await writeFile(join(out, "demo-recipe.json"), JSON.stringify(older));
    await expect(prepare()).rejects.toThrow(/older version.* --fresh/);
    await prepare({ fresh: true });
    expect(await names()).toEqual(["demo-recipe.json"]);
  });

  it("never deletes what is no demo's, --fresh or not", async () => {
    await put("pipeline.json", "my-stage/run.json");
    for (const fresh of [false, true]) {
      await expect(prepare({ fresh })).rejects.toMatchObject({ code: "failed_precondition" });
    }
    expect(await names()).toEqual(["my-stage", "pipeline.json"]);
  });
});
