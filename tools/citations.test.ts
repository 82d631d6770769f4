import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const root = join(import.meta.dirname, "..");
const reference = readFileSync(join(root, "docs/algorithms/reference.md"), "utf8");
const items = new Set([...reference.matchAll(/^(\d+)\. \*\*/gm)].map((match) => Number(match[1])));
const sources = execFileSync("git", ["ls-files", "-z", "libs", "services"], { cwd: root })
  .toString()
  .split("\0")
  .filter((file) => /\.(ts|cc|h|mjs|proto)$/.test(file));

/** The items of docs/algorithms/reference.md that a source file cites. */
function cited(file: string): number[] {
  const text = readFileSync(join(root, file), "utf8");
  return [...text.matchAll(/\breference (\d+)(?=[\];])/g)].map((match) => Number(match[1]));
}

describe("citations of docs/algorithms/reference.md", () => {
  it("name items that it has", () => {
    const citations = sources.flatMap((file) => cited(file).map((item) => ({ file, item })));
    expect(citations.length).toBeGreaterThan(10);
    expect(citations.filter(({ item }) => !items.has(item))).toEqual([]);
  });

  it("name no document outside of the repository", () => {
    const outside = sources.filter((file) =>
      /\brlhf\.md/.test(readFileSync(join(root, file), "utf8")),
    );
    expect(outside).toEqual([]);
  });
});
