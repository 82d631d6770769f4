// Fetches and builds what our figures are compared with, into two ignored folders beside this file:
//
//   npm run bench:peers
//
// .venv:  torch (CPU), transformers, gguf, fastapi, uvicorn with uvloop, grpcio. Skipped when
//         STAGECRAFT_PEERS_PYTHON names a Python; then only what it lacks is named.
// .cache: Python stubs made from proto/, llama.cpp's libraries (npm package of node-llama-cpp), its headers (from
//         the source of the same release, in node-llama-cpp itself), the benchmark that links them, and two
//         model files.
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { peersCache, stubsDir } from "../lib/peers.mjs";
import { BenchProcess } from "../lib/process.mjs";
import { BASE, SMALL } from "../lib/shapes.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const venv = join(here, ".venv");
const SERVING = ["fastapi", "uvicorn[standard]", "grpcio", "grpcio-tools"];
const PACKAGES = ["transformers", "gguf", ...SERVING];
const SERVING_MODULES = ["fastapi", "uvicorn", "uvloop", "grpc", "grpc_tools"];
const MODULES = ["torch", "transformers", "gguf", "numpy", ...SERVING_MODULES];
const LLAMA_VERSION = "3.22.1"; // of node-llama-cpp
const HEADERS = [
  "include/llama.h",
  ...["ggml", "ggml-cpu", "ggml-backend", "ggml-opt", "ggml-alloc", "gguf"].map(
    (name) => `ggml/include/${name}.h`,
  ),
];

function say(text) {
  console.log(text);
}

function run(command, args, options = {}) {
  say(`  ${command} ${args.join(" ")}`.slice(0, 160));
  return execFileSync(command, args, { encoding: "utf8", maxBuffer: 2 ** 28, ...options });
}

/** The Python with torch and the rest, made if none is given, and the modules it lacks. */
function preparePython() {
  const given = process.env.STAGECRAFT_PEERS_PYTHON;
  const python = given ?? join(venv, "bin", "python");
  if (given) say(`Python: ${given} (STAGECRAFT_PEERS_PYTHON)`);
  else makeVenv(python);
  return { python, lacking: MODULES.filter((name) => !hasModule(python, name)) };
}

const hasModule = (python, name) => spawnSync(python, ["-c", `import ${name}`]).status === 0;

function makeVenv(python) {
  say("Python: bench/peers/.venv");
  if (!existsSync(python)) run("python3", ["-m", "venv", venv]);
  const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
  if (!hasModule(python, "torch")) installTorch(python, pip);
  run(python, [...pip, ...PACKAGES], { stdio: "inherit" });
}

/** PyTorch's own index has CPU wheels; where it is closed, the general one must do. */
function installTorch(python, pip) {
  const cpuIndex = ["--index-url", "https://download.pytorch.org/whl/cpu"];
  for (const args of [["torch==2.13.0+cpu"], ["torch", ...cpuIndex], ["torch"]]) {
    say(`  pip install ${args.join(" ")}`);
    if (spawnSync(python, [...pip, ...args], { stdio: "ignore" }).status === 0) return;
  }
  throw new Error("pip could not install torch");
}

/** What a Python client needs of proto/. */
function makeStubs(python) {
  say("gRPC stubs: bench/peers/.cache/stubs");
  const protoDir = join(here, "..", "..", "proto");
  const protos = readdirSync(protoDir, { recursive: true }).filter((name) =>
    name.endsWith(".proto"),
  );
  mkdirSync(stubsDir, { recursive: true });
  const out = [`-I${protoDir}`, `--python_out=${stubsDir}`, `--grpc_python_out=${stubsDir}`];
  run(python, ["-m", "grpc_tools.protoc", ...out, ...protos.map((name) => join(protoDir, name))]);
}

function unpackNpm(name, folder) {
  const file = run("npm", ["pack", "--silent", `${name}@${LLAMA_VERSION}`], {
    cwd: folder,
    stdio: ["ignore", "pipe", "ignore"],
  })
    .trim()
    .split("\n")
    .at(-1);
  const target = join(folder, name.replace("/", "-"));
  mkdirSync(target);
  run("tar", ["xzf", join(folder, file), "-C", target, "--strip-components=1"]);
  return target;
}

/** Headers of exactly the release that the libraries were built from. */
function extractHeaders(bundle, folder) {
  const clone = join(folder, "llama.cpp");
  run("git", ["clone", "--quiet", "--no-checkout", bundle, clone], { stdio: "ignore" });
  run("git", ["-C", clone, "checkout", "--quiet", "HEAD", "--", ...HEADERS]);
  mkdirSync(join(peersCache, "include"), { recursive: true });
  for (const header of HEADERS) {
    cpSync(join(clone, header), join(peersCache, "include", header.split("/").at(-1)));
  }
}

function compileLlamaBench() {
  const lib = join(peersCache, "lib");
  const libraries = readdirSync(lib).filter((name) =>
    /^lib(llama|ggml|ggml-base)(\.v[\d.]+)?\.so$/.test(name),
  );
  run("cc", [
    "-O2",
    `-I${join(peersCache, "include")}`,
    join(here, "llamacpp.c"),
    "-o",
    join(peersCache, "llamacpp-bench"),
    `-L${lib}`,
    ...libraries.map((name) => `-l:${name}`),
    `-Wl,-rpath,${lib},-rpath-link,${lib}`,
  ]);
}

function prepareLlamaCpp(python) {
  if (process.platform !== "linux" || process.arch !== "x64") {
    say("llama.cpp: skipped, its libraries are fetched for Linux on x86-64 only");
    return {};
  }
  say("llama.cpp: bench/peers/.cache");
  const folder = mkdtempSync(join(tmpdir(), "stagecraft-llamacpp-"));
  try {
    mkdirSync(peersCache, { recursive: true });
    const binaries = unpackNpm("@node-llama-cpp/linux-x64", folder);
    cpSync(join(binaries, "bins", "linux-x64"), join(peersCache, "lib"), { recursive: true });
    const source = unpackNpm("node-llama-cpp", folder);
    extractHeaders(join(source, "llama", "gitRelease.bundle"), folder);
    compileLlamaBench();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const shapes = JSON.stringify({ small: SMALL, base: BASE });
  return JSON.parse(run(python, [join(here, "make_gguf.py"), peersCache, shapes]));
}

/** llama.cpp must find the same token as transformers, or it runs another model. */
async function checkLlamaCpp(expected) {
  for (const [size, token] of Object.entries(expected)) {
    const args = [join(peersCache, `${size}.gguf`), join(peersCache, "lib"), "1", "1"];
    const bench = await BenchProcess.start(join(peersCache, "llamacpp-bench"), args);
    await bench.stop();
    if (bench.ready.checkToken !== token) {
      throw new Error(`llama.cpp says ${bench.ready.checkToken}, transformers ${token} (${size})`);
    }
    say(`  ${size}: llama.cpp and transformers agree on token ${token}`);
  }
}

try {
  const { python, lacking } = preparePython();
  if (!lacking.includes("grpc_tools")) makeStubs(python);
  await checkLlamaCpp(prepareLlamaCpp(python));
  if (lacking.length > 0)
    throw new Error(`${python} lacks ${lacking.join(", ")}: pip install them`);
  say("Peers are ready: npm run bench");
} catch (error) {
  console.error(`bench:peers: ${error.message}`);
  process.exitCode = 1;
}
