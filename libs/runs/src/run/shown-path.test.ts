import { describe, expect, it } from "vitest";
import { shownPath, withShownPaths } from "./shown-path.js";

describe("shownPath()", () => {
  it.each([
    ["runs/sft/model", "runs/sft/model"],
    ["/home/ann/work/runs/sft/model", "runs/sft/model"],
    ["/home/ann/secret/data/talks.jsonl", "…/data/talks.jsonl"],
    ["/home/ann/work", "."],
    ["/data/talks.jsonl", "…/talks.jsonl"],
    ["../../ann/secret/talks.jsonl", "…/secret/talks.jsonl"],
    ["/home/ann", "…/ann"],
    ["/home/ann/work/..old/x", "..old/x"],
  ])("%s is shown as %s", (path, shown) => {
    expect(shownPath(path, "/home/ann/work")).toBe(shown);
  });

  it("leaves what is no path as it is, in configurations", () => {
    const config = {
      data: ["/a/b/c/d"],
      text: "/x/y/z\nmore",
      n: 1,
      none: null,
      deep: { on: true },
    };
    expect(withShownPaths(config)).toEqual({ ...config, data: ["…/c/d"] });
  });
});
