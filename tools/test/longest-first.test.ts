import { existsSync } from "node:fs";
import { expect, it } from "vitest";
import type { TestSpecification, Vitest } from "vitest/node";
import { LONGEST, LongestFirst } from "./longest-first.mjs";

it("begins with the longest files, and leaves the others in vitest's order", async () => {
  const [longest, second] = LONGEST.map((file) => `/clone/${file}`);
  const specs = ["/clone/a.test.ts", second, "/clone/b.test.ts", longest].map((moduleId) => {
    const config = { sequence: { groupOrder: 0 }, isolate: true };
    return { moduleId, project: { name: "", config } } as unknown as TestSpecification;
  });
  const cache = { getFileTestResults: () => undefined, getFileStats: () => ({ size: 1 }) };
  const vitest = { config: { root: "/clone" }, cache } as unknown as Vitest;
  const sorted = await new LongestFirst(vitest).sort(specs);
  const expected = [longest, second, "/clone/a.test.ts", "/clone/b.test.ts"];
  expect(sorted.map(({ moduleId }) => moduleId)).toEqual(expected);
});

it("names files that there are", () => {
  const gone = LONGEST.filter((file) => !existsSync(new URL(`../../${file}`, import.meta.url)));
  expect(gone).toEqual([]);
});
