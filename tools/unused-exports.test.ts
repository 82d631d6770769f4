import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import {
  declaredValues,
  passedOn,
  readSources,
  unusedOfFiles,
  unusedOfIndex,
  type SourceFile,
} from "./exports.mjs";
import { readProjects } from "./module-boundaries.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

/** Packages whose exports are for others, and why. */
const FOR_OTHERS: Readonly<Record<string, string>> = {
  "libs/client": "the library for other programs: what it offers is for them",
  "libs/contracts": "the messages and services of proto/, whole",
  "libs/faults": "its programs are run, not imported; the index says what they are made of",
};

/** Exports that are found by the end of their name. */
const FOUND_BY_NAME = /Schema$/;

describe("exports", () => {
  const sources = readSources(root);
  for (const project of readProjects(root).filter(({ dir }) => !(dir in FOR_OTHERS))) {
    it(`of ${project.dir} are all needed`, () => {
      const { dir } = project;
      const unused = unusedOfIndex(root, project, sources).filter(
        (name) => !FOUND_BY_NAME.test(name),
      );
      expect(unused, `nobody uses them: take them out of ${dir}/src/index.ts`).toEqual([]);
      const advice = "no other file uses them: take `export` away";
      expect(unusedOfFiles(project, sources), advice).toEqual([]);
    });
  }
});

describe("unused exports", () => {
  const file = (path: string, text: string): SourceFile => {
    return { path, text, words: new Set(text.match(/\w+/g)) };
  };
  const project = { dir: "libs/a", name: "a" };
  const index = file(
    "libs/a/src/index.ts",
    'export { used, unused, type OfUsed } from "./x.js";\nexport type { OfNothing } from "./y.js";\nexport * as space from "./z.js";',
  );

  it("of an index are what nobody names who names the package, and types of nothing used", () => {
    const user = file("libs/b/src/b.ts", 'import { used } from "@stagecraft/a";');
    const stranger = file("libs/b/src/c.ts", "const unused = 1;");
    const unused = unusedOfIndex(root, project, [index, user, stranger]);
    expect(unused).toEqual(["unused", "OfNothing", "space"]);
  });

  it("of a file are values that no other file names", () => {
    const x = file(
      "libs/a/src/x.ts",
      "export const used = 1;\nexport function alone() {}\nexport type T = 1;",
    );
    expect(unusedOfFiles(project, [index, x])).toEqual(["libs/a/src/x.ts: alone"]);
  });

  it("are found, whatever way they are written", () => {
    const text =
      "export async function a() {}\nexport abstract class B {}\nexport function* c() {}";
    expect(declaredValues(text)).toEqual(["a", "B", "c"]);
    const list = 'export { a, type B, c as d } from "x";\nexport type { E } from "y";';
    expect(
      passedOn(list)
        .flat()
        .map(({ name }) => name),
    ).toEqual(["a", "B", "d", "E"]);
  });
});
