import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { createRandom } from "@stagecraft/core";
import { mutationsOf, type FaultContext, type FaultRow } from "./fault-row.js";
import { FAULT_ROWS } from "./rows/index.js";
import { runControl, runRow } from "./run-row.js";
import { formatOutcomes } from "./table.js";

const row = (run: FaultRow["run"]): FaultRow => ({
  name: "toy",
  doc: "a toy breaks: nobody cries",
  counts: { full: 3, short: 1 },
  run,
  controls: [
    { name: "no glue", file: "toy.js", find: "glue", replace: "", count: 1, expect: /broke/ },
  ],
});
const options = { seed: 7, count: 3, checkTimes: true, onProgress: () => undefined };

describe("runRow()", () => {
  it("passes without problems and fails with one, or with a throw", async () => {
    const good = await runRow(
      row(() => Promise.resolve({ problems: [], figures: { n: 1 } })),
      options,
    );
    expect(good).toMatchObject({ passed: true, count: 3, seed: 7, figures: { n: 1 } });
    const bad = row(() => Promise.resolve({ problems: ["it broke"], figures: {} }));
    expect((await runRow(bad, options)).passed).toBe(false);
    const throwing = await runRow(
      row(() => Promise.reject(new Error("gone"))),
      options,
    );
    expect(throwing.passed).toBe(false);
    expect(throwing.problems[0]).toContain("gone");
  });

  it("draws the same from the same seed, another from another", async () => {
    const drawn: number[] = [];
    const drawing = row(({ random }: FaultContext) => {
      drawn.push(random.nextUint32());
      return Promise.resolve({ problems: [], figures: {} });
    });
    for (const seed of [7, 7, 8]) await runRow(drawing, { ...options, seed });
    expect(drawn[0]).toBe(createRandom("toy/7").nextUint32());
    expect(drawn[1]).toBe(drawn[0]);
    expect(drawn[2]).not.toBe(drawn[0]);
  });
});

describe("runControl()", () => {
  it("passes only when the row finds what it must find", async () => {
    for (const [problems, passed] of [
      [["it broke"], true],
      [["something else"], false],
      [[], false],
    ] as const) {
      const toy = row(() => Promise.resolve({ problems: [...problems], figures: {} }));
      expect((await runControl(toy, toy.controls[0]!, options)).passed).toBe(passed);
    }
  });
});

describe("formatOutcomes()", () => {
  it("tells what held, what failed and what was not noticed", async () => {
    const good = row(() => Promise.resolve({ problems: [], figures: { kills: 3 } }));
    const text = formatOutcomes([
      await runRow(good, options),
      await runControl(good, good.controls[0]!, options),
    ]);
    expect(text).toMatch(/toy +held +3 .*kills 3/);
    expect(text).toMatch(/toy +NOT NOTICED +3 .*no glue/);
  });
});

describe("FAULT_ROWS", () => {
  it("have names of their own and a control each", () => {
    const names = FAULT_ROWS.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const { name, controls } of FAULT_ROWS) {
      expect(controls.length, name).toBeGreaterThan(0);
    }
  });
});

describe("controls of the fault table", () => {
  const root = new URL("../../../", import.meta.url);
  const mutations = FAULT_ROWS.flatMap(({ name, controls }) =>
    controls.flatMap((control) => mutationsOf(control).map((mutation) => ({ name, ...mutation }))),
  );
  const textOf = (file: string) => {
    const built = fileURLToPath(new URL(file, root));
    const source = built.replace("/dist/", "/src/").replace(/\.js$/, ".ts");
    return existsSync(source) && existsSync(built) ? readFileSync(built, "utf8") : "";
  };

  it("change modules that the product has, where their text still stands", () => {
    expect(mutations.length).toBeGreaterThan(10);
    const lost = mutations.filter(({ file, find }) => !textOf(file).includes(find));
    expect(lost.map(({ name, file, find }) => `${name}: ${file}: ${find}`)).toEqual([]);
  });
});
