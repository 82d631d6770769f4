// Compiles the kernels for 64-bit ARM and compares NEON with plain C++ under an emulator:
//   node libs/tensor-native/emulate-neon.mjs
// Debian: apt install g++-aarch64-linux-gnu qemu-user. For machines that have no ARM processor.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const nativeDir = join(dirname(fileURLToPath(import.meta.url)), "native");
const NODE_ONLY = /^(addon|args|decoder|layers|operations|optimizer|kernels_avx.*)\.cc$/;
const sources = readdirSync(nativeDir).filter(
  (name) => /\.cc$/.test(name) && !NODE_ONLY.test(name),
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
