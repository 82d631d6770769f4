import { readdir, readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { METRICS, monitoringFiles } from "../index.js";

const folder = new URL("../../../../deploy/monitoring/", import.meta.url);

/** Names of metrics as they stand in an expression: a histogram's come with what they count. */
const namesIn = (text: string) =>
  [...text.matchAll(/\b(?:stagecraft|process)_[a-z0-9_]+/g)].map(([name]) => name);
const known = new Set(
  Object.values(METRICS).flatMap(({ name, kind }) =>
    kind === "histogram" ? ["_bucket", "_sum", "_count"].map((part) => name + part) : [name],
  ),
);

describe("deploy/monitoring", () => {
  it("is what the metric definitions make of it, and holds nothing else that is generated", async () => {
    for (const [name, text] of monitoringFiles()) {
      const found = await readFile(new URL(name, folder), "utf8");
      expect(found, `${name} is out of date: npm run docs:metrics`).toBe(text);
    }
    const boards = await readdir(new URL("dashboards/", folder));
    const wanted = [...monitoringFiles().keys()].filter((name) => name.startsWith("dashboards/"));
    expect(boards.map((name) => `dashboards/${name}`).sort()).toEqual(wanted.sort());
  });

  it("names metrics that there are, in every expression", () => {
    for (const [name, text] of monitoringFiles()) {
      const expressions = [...text.matchAll(/"?(?:expr|query)"?: ("(?:[^"\\]|\\.)*")/g)];
      const named = expressions.flatMap(([, quoted]) => namesIn(JSON.parse(quoted!) as string));
      expect(named.length, name).toBeGreaterThan(0);
      expect(
        named.filter((each) => !known.has(each)),
        name,
      ).toEqual([]);
    }
  });

  it("shows every metric on one dashboard", () => {
    const text = [...monitoringFiles()]
      .filter(([name]) => name.startsWith("dashboards/"))
      .map(([, each]) => each)
      .join();
    const shown = new Set(namesIn(text).map((name) => name.replace(/_(bucket|sum|count)$/, "")));
    const missing = Object.values(METRICS).filter(({ name }) => !shown.has(name));
    expect(missing.map(({ name }) => name)).toEqual([]);
  });
});
