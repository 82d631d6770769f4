// Runs the thread pool under ThreadSanitizer, then the native test suite under AddressSanitizer and
// UndefinedBehaviorSanitizer (Linux, GCC):
//   node libs/tensor-native/sanitize.mjs
// The addon is compiled apart from the usual one; every typed array lies between red zones, because
// the sanitizer replaces malloc for the whole process.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const nativeDir = join(here, "native");
const outDir = join(nativeDir, "build", "sanitize");
const include = join(dirname(dirname(realpathSync(process.execPath))), "include", "node");
const FLAGS = ["-std=c++17", "-O1", "-g", "-fPIC", "-ffp-contract=fast", "-Wno-psabi"];
const CHECKS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"];
const ISA_FLAGS = {
  "kernels_avx2.cc": ["-mavx2", "-mfma"],
  "kernels_avx512.cc": ["-mavx512f", "-mavx512dq", "-mavx512vl", "-mfma"],
};

function compile() {
  mkdirSync(outDir, { recursive: true });
  const sources = readdirSync(nativeDir).filter((name) => name.endsWith(".cc"));
  const objects = sources.map((name) => {
    const object = join(outDir, `${name}.o`);
    const flags = [...FLAGS, ...CHECKS, ...(ISA_FLAGS[name] ?? []), `-I${include}`];
    execFileSync("g++", [...flags, "-c", join(nativeDir, name), "-o", object], {
      stdio: "inherit",
    });
    return object;
  });
  const addon = join(outDir, "stagecraft_native.node");
  execFileSync("g++", ["-shared", ...CHECKS, ...objects, "-o", addon], { stdio: "inherit" });
}

/** Throws when two threads meet in memory without order, or a task is lost. */
function checkPool() {
  const program = join(outDir, "pool_races");
  const sources = ["pool.cc", "cpus.cc", join("test", "pool_races.cc")];
  const files = sources.map((name) => join(nativeDir, name));
  execFileSync("g++", [...FLAGS, "-fsanitize=thread", ...files, "-pthread", "-o", program], {
    stdio: "inherit",
  });
  // ThreadSanitizer of GCC 12 cannot map its memory under large address randomisation.
  execFileSync("setarch", ["-R", program], { stdio: "inherit" });
  console.log("thread pool: no race");
}

const library = (name) =>
  execFileSync("g++", [`-print-file-name=${name}`], { encoding: "utf8" }).trim();

compile();
checkPool();
const root = join(here, "..", "..");
const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
const config = join(here, "sanitize.config.mjs");
const { status } = spawnSync(process.execPath, [vitest, "run", "--config", config], {
  cwd: root,
  stdio: "inherit",
  env: {
    ...process.env,
    LD_PRELOAD: `${library("libasan.so")}:${library("libubsan.so")}`,
    ASAN_OPTIONS: "detect_leaks=0", // V8 frees nothing at exit
    UBSAN_OPTIONS: "print_stacktrace=1",
  },
});
process.exitCode = status ?? 1;
