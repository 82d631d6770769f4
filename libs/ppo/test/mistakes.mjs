/**
 * Puts every mistake of src/mistakes.test.ts into a copy of the sources and sees its test fail.
 * `node libs/ppo/test/mistakes.mjs [number …]`; exit code 1 when a mistake goes unnoticed.
 */
import { execFileSync, spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { MISTAKES } from "./mistakes-list.mjs";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
/** Used where it is, with what was compiled for this machine. */
const NATIVE = "libs/tensor-native";

const copy = mkdtempSync(join(tmpdir(), "stagecraft-mistakes-"));
try {
  copySources();
  const chosen = process.argv.slice(2).map(Number);
  const unnoticed = MISTAKES.filter((_, i) => chosen.length === 0 || chosen.includes(i + 1)).filter(
    (mistake) => !isNoticed(mistake),
  );
  process.exitCode = unnoticed.length > 0 ? 1 : 0;
} finally {
  rmSync(copy, { recursive: true, force: true });
}

/** True when the test passes without the mistake and fails with it. */
function isNoticed([what, file, right, wrong, test, testFile]) {
  const path = join(copy, file);
  const source = readFileSync(path, "utf8");
  if (source.split(right).length !== 2) throw new Error(`${file}: "${right}" is not there once`);
  const before = passes(test, testFile);
  writeFileSync(
    path,
    source.replace(right, () => wrong),
  );
  const after = passes(test, testFile);
  writeFileSync(path, source);
  const verdict = !before ? "✘ fails anyway" : after ? "✘ unnoticed" : "✔ noticed";
  console.log(`${verdict}: ${what} (${testFile}: "${test}")`);
  return before && !after;
}

function passes(test, testFile) {
  const args = [join(copy, "node_modules/vitest/vitest.mjs"), "run", testFile, "-t", test];
  const result = spawnSync(process.execPath, args, { cwd: copy, encoding: "utf8" });
  if (!/Tests .*(passed|failed)/.test(result.stdout)) {
    throw new Error(`no test ran:\n${result.stdout}${result.stderr}`);
  }
  return result.status === 0;
}

function copySources() {
  const tracked = execFileSync("git", ["ls-files", "-co", "--exclude-standard"], { cwd: ROOT });
  const isWanted = (file) =>
    /^((libs|services)\/|[^/]+\.(json|ts)$)/.test(file) && !file.startsWith(`${NATIVE}/`);
  for (const file of tracked.toString().split("\n").filter(isWanted)) {
    if (existsSync(join(ROOT, file))) cpSync(join(ROOT, file), join(copy, file));
  }
  symlinkSync(join(ROOT, NATIVE), join(copy, NATIVE));
  const scope = join(copy, "node_modules/@stagecraft");
  mkdirSync(scope, { recursive: true });
  for (const name of readdirSync(join(ROOT, "node_modules"))) {
    if (name === "@stagecraft") continue;
    symlinkSync(join(ROOT, "node_modules", name), join(copy, "node_modules", name));
  }
  for (const name of readdirSync(join(copy, "libs"))) {
    symlinkSync(join(copy, "libs", name), join(scope, name));
  }
}
