// Compiles the kernels for 64-bit ARM and compares NEON with plain C++ under an emulator:
//   node libs/tensor-native/emulate-neon.mjs
// Debian: apt install g++-aarch64-linux-gnu qemu-user. For machines that have no ARM processor.
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const nativeDir = join(dirname(fileURLToPath(import.meta.url)), "native");
const sources = readdirSync(nativeDir).filter(
  (name) => name.endsWith(".cc") && !name.startsWith("kernels_avx") && !needsNode(name),
);
const files = [...sources, join("test", "compare_sets.cc")].map((name) => join(nativeDir, name));
const dir = mkdtempSync(join(tmpdir(), "stagecraft-neon-"));
const binary = join(dir, "compare_sets");
const flags = [
  "-std=c++17",
  "-O2",
  "-ffp-contract=fast",
  "-static",
  "-pthread",
  "-Wall",
  "-Wextra",
];
try {
  execFileSync("aarch64-linux-gnu-g++", [...flags, ...files, "-o", binary], { stdio: "inherit" });
  execFileSync("qemu-aarch64", [binary, "neon"], { stdio: "inherit" });
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  rmSync(dir, { recursive: true, force: true });
}

/**
 * True for a file that includes Node's header, itself or through another of this folder: there is no Node for the
 * emulator.
 * @param {string} name
 * @returns {boolean}
 */
function needsNode(name) {
  const text = readFileSync(join(nativeDir, name), "utf8");
  if (text.includes("#include <node_api.h>")) return true;
  const included = [...text.matchAll(/^#include "([^"/]+)"/gm)].map(([, file]) => file ?? "");
  return included.some((file) => existsSync(join(nativeDir, file)) && needsNode(file));
}
