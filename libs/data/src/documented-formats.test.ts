import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { collect, tempDir } from "../test/temp-dir.js";
import { readConversations } from "./conversations.js";
import { RECORD_FORMATS } from "./formats/records/table.js";
import { readPrompts } from "./prompts.js";
import { readRankings } from "./rankings.js";

const text = await readFile(new URL("../../../docs/data.md", import.meta.url), "utf8");
const READERS = {
  Demonstrations: readConversations,
  Prompts: readPrompts,
  Rankings: readRankings,
};

describe("docs/data.md", () => {
  for (const [title, read] of Object.entries(READERS)) {
    const section = text.split("\n## ").find((part) => part.startsWith(title))!;
    for (const [, sample] of section.matchAll(/```json\n(.*?)```/gs)) {
      it(`has a sample of ${title.toLowerCase()} that is read: ${sample!.slice(0, 40)}…`, async () => {
        await using files = await tempDir({ "a.json": sample! });
        expect(await collect<unknown>(read(files.path("a.json")))).toHaveLength(1);
      });
    }
  }

  it("names every format", () => {
    const unnamed = RECORD_FORMATS.map(({ name }) => name)
      .filter((name) => name !== "oasst-table")
      .filter((name) => !text.includes(`**${name}**`));
    expect(unnamed).toEqual([]);
  });
});
