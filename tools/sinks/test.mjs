// `npm run test:sinks`: a run that is stopped and resumed, its figures read back by the Python packages of
// TensorBoard and MLflow ($PYTHON, or an environment under .cache; see ../interop/python.mjs). MLflow, which is
// large, is said and skipped where it cannot be installed.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { pythonWith } from "../interop/python.mjs";

/** @typedef {{ tag: string, step: number, value: number }} Point */

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "..", "..");
const BIN = join(root, "libs", "cli", "bin", "stagecraft.mjs");
const PYTHON = pythonWith(root, ["tensorboard"]);
const READ_BACK = join(here, "read_back.py");

const dir = mkdtempSync(join(tmpdir(), "stagecraft-sinks-"));
const run = join(dir, "run");
/** @type {{ name: string, problem?: string | undefined }[]} */
const results = [];
try {
  const tracking = hasMlflow();
  const mlflow = tracking ? await startMlflow() : undefined;
  try {
    const flags = mlflow ? ["--mlflow", mlflow.url] : [];
    await train([...flags, "--tensorboard"]);
    results.push(compare("tensorboard", [join(run, "tensorboard")], Math.fround));
    if (mlflow) {
      const { runId } = JSON.parse(readFileSync(join(run, "mlflow.json"), "utf8"));
      results.push(compare("mlflow", [mlflow.url, runId], (value) => value));
    }
  } finally {
    mlflow?.process.kill();
  }
} finally {
  rmSync(dir, { recursive: true, force: true });
}
for (const { name, problem } of results) {
  console.log(problem === undefined ? `ok   ${name}` : `FAIL ${name}: ${problem}`);
}
const failed = results.filter(({ problem }) => problem !== undefined).length;
console.log(`${results.length - failed} passed, ${failed} failed`);
process.exitCode = failed > 0 || results.length === 0 ? 1 : 0;

function hasMlflow() {
  try {
    return pythonWith(root, ["tensorboard", "mlflow"]) === PYTHON;
  } catch (thrown) {
    console.log(`skip mlflow: ${String(thrown)}`);
    return false;
  }
}

/** Trains a little, is killed after a checkpoint and some more steps, and is resumed. */
async function train(/** @type {string[]} */ flags) {
  const text = join(dir, "text.txt");
  writeFileSync(text, "The fox eats fish. The owl sings at night.\n".repeat(200));
  const model = ["--num-layers", "1", "--num-heads", "2", "--hidden-size", "16"];
  const sizes = ["--tokenizer-kind", "chars", "--context-length", "32", "--batch-size", "2"];
  const pace = ["--steps", "300", "--log-every", "1", "--eval-every", "50", "--threads", "1"];
  const how = ["--checkpoint-every", "40", "--run", run, "--json", ...flags];
  const command = [BIN, "pretrain", "--corpus", text, ...model, ...sizes, ...pace, ...how];
  const first = spawn(process.execPath, command, { stdio: ["ignore", "pipe", "inherit"] });
  let told = "";
  for await (const chunk of first.stdout) {
    told += String(chunk);
    if (told.includes('"step":65')) first.kill("SIGKILL");
  }
  const second = spawnSync(process.execPath, [...command, "--resume"], { encoding: "utf8" });
  if (second.status !== 0) throw new Error(second.stderr);
  if (!second.stdout.includes("resumed at step")) throw new Error("the run was not resumed");
}

/** Every figure of metrics.jsonl is there once, with its value, and nothing else is. */
function compare(
  /** @type {string} */ name,
  /** @type {string[]} */ args,
  /** @type {(value: number) => number} */ rounded,
) {
  const { status, stdout, stderr } = python(READ_BACK, name, ...args);
  if (status !== 0) return { name, problem: stderr.slice(-2000) };
  const lines = stdout.trim().split("\n");
  const read = lines.map((line) => JSON.parse(line)).filter(({ tag }) => tag !== undefined);
  const shown = (/** @type {Point} */ { tag, step, value }) => `${tag} ${step} ${value}`;
  const got = read.map(shown).sort();
  const wanted = metricsPoints().map(({ value, ...rest }) =>
    shown({ ...rest, value: rounded(value) }),
  );
  wanted.sort();
  const timed = (/** @type {string} */ line) => name === "mlflow" && /PerSecond/.test(line);
  const differing = wanted.filter((line, i) => got[i] !== line && !timed(line));
  const problem =
    got.length !== wanted.length
      ? `${got.length} points, metrics.jsonl has ${wanted.length}`
      : differing[0] && `${differing.length} points differ, such as ${differing[0]}`;
  console.log(`${name}: ${got.length} points read back`);
  return { name, problem };
}

/** @returns {Point[]} */
function metricsPoints() {
  const lines = readFileSync(join(run, "metrics.jsonl"), "utf8").trim().split("\n");
  return lines.flatMap((line) => {
    const { kind, step, ...fields } = JSON.parse(line);
    const numbers = Object.entries(fields).filter(([, value]) => typeof value === "number");
    return numbers.map(([field, value]) => ({
      tag: `${kind}/${field}`,
      step,
      value: Number(value),
    }));
  });
}

/** One worker and no jobs: each would be a process of its own that imports all of MLflow. */
async function startMlflow() {
  const port = await freePort();
  const store = ["--backend-store-uri", `sqlite:///${join(dir, "mlflow.db")}`, "--workers", "1"];
  const args = ["-m", "mlflow", "server", "--host", "127.0.0.1", "--port", String(port), ...store];
  const env = { ...process.env, MLFLOW_SERVER_ENABLE_JOB_EXECUTION: "false" };
  const server = spawn(PYTHON, args, { stdio: ["ignore", "pipe", "pipe"], cwd: dir, env });
  let told = "";
  for (const stream of [server.stdout, server.stderr]) {
    stream.on("data", (chunk) => (told = (told + String(chunk)).slice(-2000)));
  }
  const url = `http://127.0.0.1:${port}`;
  for (let i = 0; i < 600 && server.exitCode === null; i++) {
    const answer = await fetch(`${url}/health`).catch(() => undefined);
    if (answer?.ok) return { url, process: server };
    await delay(500);
  }
  server.kill();
  throw new Error(`the MLflow server did not start within five minutes: ${told}`);
}

/** @returns {Promise<number>} */
function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}

function python(/** @type {string[]} */ ...args) {
  return spawnSync(PYTHON, args, { encoding: "utf8", maxBuffer: 1 << 28 });
}
