import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { MISTAKES } from "./mistakes-list.mjs";

const root = new URL("../../../", import.meta.url);

describe("the mistakes that mistakes.mjs plants", () => {
  it("find their place in the sources, once, and their tests", () => {
    expect(MISTAKES.length).toBeGreaterThan(10);
    const lost = MISTAKES.filter(([, file, right, , test, testFile]) => {
      const text = (path: string) =>
        existsSync(new URL(path, root)) ? readFileSync(new URL(path, root), "utf8") : "";
      return text(file!).split(right!).length !== 2 || !text(testFile!).includes(test!);
    });
    expect(lost.map(([what]) => what)).toEqual([]);
  });
});
