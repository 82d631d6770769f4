// Every public data shape, from files that datasets and pyarrow wrote: counts and first records.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as zlib from "node:zlib";
import { pythonWith, run } from "./python.mjs";

/** What no codec of Node or hyparquet reads is to be refused by name. */
const REFUSED = { lz4: "LZ4", ...("zstdDecompressSync" in zlib ? {} : { zstd: "ZSTD" }) };

/**
 * @param {string} root
 * @returns {{ name: string, problem?: string }[]}
 */
export function checkData(root) {
  const folder = mkdtempSync(join(tmpdir(), "interop-data-"));
  try {
    const python = pythonWith(root, ["datasets", "pyarrow"]);
    run(python, [join(root, "tools", "interop", "make_data.py"), folder]);
    const cases = JSON.parse(readFileSync(join(folder, "expected.json"), "utf8"));
    return cases.map((/** @type {Case} */ each) => ({
      name: `data ${each.file}`,
      ...problemOf(root, folder, each),
    }));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * @typedef {{ file: string, kind: string, format: string, records: number, items: number, first: unknown,
 *   codec?: string }} Case
 */

/**
 * @param {string} root
 * @param {string} folder
 * @param {Case} expected
 */
function problemOf(root, folder, expected) {
  const { kind, format, records, items, first, codec = "" } = expected;
  const command = join(root, "libs", "cli", "bin", "stagecraft.mjs");
  const args = ["data", "check", join(folder, expected.file), "--kind", kind, "--json"];
  const { stdout, stderr } = spawnSync(process.execPath, [command, ...args], { encoding: "utf8" });
  const refusal = /** @type {Record<string, string>} */ (REFUSED)[codec];
  try {
    if (refusal) {
      assert.match(stderr, new RegExp(`is compressed with ${refusal}`));
      return {};
    }
    assert.equal(stderr, "");
    const report = JSON.parse(stdout).kinds[kind];
    assert.deepEqual(
      { format: report.formats, items: report.numItems, problems: report.problems },
      { format: { [format]: records }, items, problems: [] },
    );
    assert.deepEqual(report.samples[0], first);
    return {};
  } catch (thrown) {
    return { problem: thrown instanceof Error ? thrown.message : String(thrown) };
  }
}
