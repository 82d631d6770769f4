// Runs the tests of kernels, decoder and sampler on each instruction set that this machine can run,
// or on those named, since one binary must be right on all:
//   node libs/tensor-native/simd.mjs [avx512] [avx2] [neon] [baseline]
import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "..", "..");
const addon = createRequire(import.meta.url)(join(here, "build", "stagecraft_native.node"));

function isAble(simd) {
  try {
    addon.configure({ simd });
    return true;
  } catch {
    return false;
  }
}

function test(simd) {
  console.log(`\ninstruction set ${simd}`);
  const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
  const args = [vitest, "run", "--config", join(here, "simd.config.mjs")];
  const env = { ...process.env, STAGECRAFT_TEST_SIMD: simd };
  return spawnSync(process.execPath, args, { cwd: root, stdio: "inherit", env }).status === 0;
}

const named = process.argv.slice(2);
const levels = named.length > 0 ? named : ["avx512", "avx2", "neon", "baseline"].filter(isAble);
const failed = levels.filter((simd) => !test(simd));
if (failed.length > 0) {
  console.error(`failed on ${failed.join(", ")}`);
  process.exitCode = 1;
}
