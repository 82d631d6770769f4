import { readFile, writeFile } from "node:fs/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { makeBase, openWorkshop, runCli, type Workshop } from "./case-kit.js";

let shop: Workshop;
beforeAll(async () => {
  shop = await openWorkshop();
  return () => shop[Symbol.asyncDispose]();
});

interface Shown {
  version: number;
  isPromoted: boolean;
  stage: string;
  lineage?: { parents: { stage: string }[]; figures: Record<string, number> };
}

const registry = () => ["--registry", shop.path("models.json"), "--json"];
async function models(...args: string[]): Promise<Shown[]> {
  const { code, out, err } = await runCli(["models", ...args, ...registry()]);
  expect(err).toBe("");
  expect(code).toBe(0);
  return out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Shown);
}

describe("stagecraft models", () => {
  it("registers, shows where a model comes from, promotes and rolls back", async () => {
    const base = await makeBase(shop.path("base"));
    const data = shop.path("demonstrations.jsonl");
    await writeFile(data, `${JSON.stringify({ prompt: "hi", completion: "hello" })}\n`.repeat(8));
    const run = ["--run", shop.path("sft"), "--epochs", "1", "--engine", "cpu", "--threads", "1"];
    const trained = await runCli(["sft", "--model", base, "--data", data, ...run]);
    expect(trained.code, trained.err).toBe(0);

    await models("promote", "assistant", base);
    expect(await models("promote", "assistant", shop.path("sft/model"))).toMatchObject([
      { version: 2, isPromoted: true, stage: "sft" },
    ]);
    const [shown] = await models("show", "assistant");
    expect(shown!.lineage!.parents).toMatchObject([{ stage: "unknown" }]);
    expect(shown!.lineage!.figures).toHaveProperty("trainLoss");
    expect(await models("rollback", "assistant")).toMatchObject([{ version: 1 }]);
    expect((await models("list")).map(({ isPromoted }) => isPromoted)).toEqual([true, false]);
    const content = JSON.parse(await readFile(shop.path("models.json"), "utf8")) as object;
    expect(content).toMatchObject({ models: { assistant: { versions: [{ dir: "base" }, {}] } } });
  });

  it("says what there is when a name or a version is not there", async () => {
    const listed = await runCli(["models", "list", "asistant", ...registry()]);
    expect([listed.code, listed.err]).toEqual([
      1,
      expect.stringContaining("has no model asistant; it has assistant"),
    ]);
    const { code, err } = await runCli(["models", "show", "assistant@7", ...registry()]);
    expect(code).toBe(1);
    expect(err).toContain("[not_found] assistant has no version 7; it has 1 to 2");
  });
});
