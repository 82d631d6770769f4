// Prepares and runs client.py: a virtual environment with grpcio, stubs generated from proto/, then
// the client with the arguments given. PYTHON names another interpreter than python3.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const root = join(here, "..", "..");
const venv = join(here, ".venv");
const generated = join(here, "generated");
const python = join(venv, process.platform === "win32" ? "Scripts/python.exe" : "bin/python");

/** Runs a program to its end; ends this one with the advice when it fails. */
function run(command, args, advice, options = {}) {
  const { status, error } = spawnSync(command, args, { stdio: "inherit", ...options });
  if (status === 0) return;
  process.stderr.write(`${advice}${error ? ` (${error.message})` : ""}\n`);
  process.exit(1);
}

function has(module) {
  return spawnSync(python, ["-c", `import ${module}`], { stdio: "ignore" }).status === 0;
}

const interpreter = process.env.PYTHON ?? "python3";
if (!existsSync(python)) {
  const advice = `${interpreter} cannot make a virtual environment; install Python 3.9 or later with venv (Debian: apt-get install python3-venv), or name another with PYTHON=…`;
  run(interpreter, ["-m", "venv", venv], advice);
}
if (!has("grpc_tools") || !has("grpc")) {
  const advice = `pip could not install grpcio and grpcio-tools: is a package index reachable from here? Install them yourself with\n  ${python} -m pip install grpcio grpcio-tools\nand run this command again.`;
  const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
  run(python, [...pip, "grpcio", "grpcio-tools"], advice);
}

const protoDir = join(root, "proto");
const protos = readdirSync(join(protoDir, "stagecraft"), { recursive: true })
  .map((name) => join(protoDir, "stagecraft", name))
  .filter((file) => file.endsWith(".proto"));
const stub = join(generated, "stagecraft", "policy", "v1", "policy_pb2_grpc.py");
const newest = Math.max(...protos.map((file) => statSync(file).mtimeMs));
if (!existsSync(stub) || statSync(stub).mtimeMs < newest) {
  mkdirSync(generated, { recursive: true });
  const out = [`--python_out=${generated}`, `--grpc_python_out=${generated}`];
  run(
    python,
    ["-m", "grpc_tools.protoc", `-I${protoDir}`, ...out, ...protos],
    "the stubs could not be generated from proto/",
  );
}
run(python, [join(here, "client.py"), ...process.argv.slice(2)], "the client failed");
