import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readConversations, readDocuments, readPrompts } from "@stagecraft/data";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writeWorld, type WorldFiles } from "./write-world.js";

describe("writeWorld()", () => {
  let dir: string;
  let files: WorldFiles;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "world-"));
    files = await writeWorld(dir, { seed: 1, size: "tiny" });
  });
  afterAll(() => rm(dir, { recursive: true }));

  it("writes texts, demonstrations and prompts that the data readers take", async () => {
    const description = JSON.parse(await readFile(files.description, "utf8")) as {
      counts: { documents: number; demonstrations: number; heldOutPrompts: object };
    };
    const kinds = new Set<string>();
    for await (const { file, text } of readDocuments([files.corpusDir])) {
      expect(text.trim()).not.toBe("");
      kinds.add(file.replace(/^.*\./, ""));
    }
    expect(kinds).toEqual(new Set(["txt", "md", "jsonl"]));
    let [numDemonstrations, numPrompts] = [0, 0];
    for await (const { messages } of readConversations([files.demonstrations])) {
      expect(messages.at(-1)!.role).toBe("assistant");
      numDemonstrations++;
    }
    for await (const { reference } of readPrompts([files.heldOutPrompts])) {
      expect(reference).toBeTruthy();
      numPrompts++;
    }
    expect(numDemonstrations).toBe(description.counts.demonstrations);
    const counts = Object.values(description.counts.heldOutPrompts) as number[];
    expect(numPrompts).toBe(counts.reduce((sum, count) => sum + count));
  });

  it("spreads its texts over documents, so that none is much of the corpus", async () => {
    const demo = join(dir, "demo");
    const { corpusDir } = await writeWorld(demo, { seed: 1, size: "demo" });
    const sizes: number[] = [];
    for await (const { text } of readDocuments([corpusDir])) sizes.push(text.length);
    expect(Math.max(...sizes)).toBeLessThan(0.02 * sizes.reduce((sum, size) => sum + size));
  });

  it("does not write the answer keys of prompts beyond what readers know", async () => {
    const line = (await readFile(files.heldOutPrompts, "utf8")).split("\n")[0]!;
    expect(Object.keys(JSON.parse(line) as object)).not.toContain("key");
  });

  it("leaves no temporary file and repeats itself byte for byte", async () => {
    const before = await readFile(files.demonstrations, "utf8");
    await writeWorld(dir, { seed: 1, size: "tiny" });
    expect(await readFile(files.demonstrations, "utf8")).toBe(before);
    const names = await readdir(dir, { recursive: true });
    expect(names.filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });
});
