// `npm run test:packages`: packs, installs the tarballs into an empty project as anybody would, runs
// the command there, and scores an answer of a reward model that serves it by the client library.
import { execFileSync, spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "../setup/main.mjs";
import { packPackages } from "./pack.mjs";

const project = mkdtempSync(join(tmpdir(), "stagecraft-project-"));
/** @type {import("node:child_process").ChildProcess | undefined} */
let service;
try {
  const tarballs = packPackages(join(project, "tarballs"));
  console.log(`${tarballs.length} packages packed`);
  writeFileSync(join(project, "package.json"), '{ "name": "theirs", "type": "module" }\n');
  const typescript = `typescript@${installed("typescript")}`;
  run("npm", ["install", "--loglevel=error", "--no-audit", "--no-fund", ...tarballs, typescript]);
  console.log(run("npx", ["stagecraft", "--help"]).split("\n").slice(0, 3).join("\n"));
  const made = makeRewardModel();
  cpSync(join(root, "tools", "publish", "example.ts"), join(project, "example.ts"));
  const flags = ["--module", "nodenext", "--target", "es2022", "--lib", "esnext"];
  run("npx", ["tsc", "--strict", "--types", "node", ...flags, "example.ts"]);
  const address = await serve(made);
  const score = run(process.execPath, ["example.js", address]).trim();
  if (!Number.isFinite(Number.parseFloat(score))) throw new Error(`the score was ${score}`);
  console.log(`scored ${score}\n1 passed, 0 failed`);
} finally {
  service?.kill();
  rmSync(project, { recursive: true, force: true });
}

/**
 * @param {string} program
 * @param {string[]} args
 */
function run(program, args) {
  return execFileSync(program, args, {
    cwd: project,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
}

/** @param {string} name */
function installed(name) {
  const file = join(root, "node_modules", name, "package.json");
  return String(JSON.parse(readFileSync(file, "utf8")).version);
}

/** A tiny reward model, trained by the installed command. */
function makeRewardModel() {
  const corpus = join(root, "examples", "data", "text.txt");
  const size = ["--num-layers", "1", "--num-heads", "2", "--hidden-size", "16", "--steps", "2"];
  const common = ["--engine", "cpu"];
  const pretrain = ["--corpus", corpus, "--split", "tail", ...size, ...common, "--run", "base"];
  run("npx", ["stagecraft", "pretrain", ...pretrain]);
  const ranked = { answers: ["nectar", "a stone"], ranks: [1, 2] };
  const rankings = Array.from({ length: 20 }, (_, i) => {
    const prompt = [{ role: "user", content: `what is honey ${i}` }];
    return JSON.stringify({ prompt, ...ranked });
  });
  writeFileSync(join(project, "rankings.jsonl"), `${rankings.join("\n")}\n`);
  const data = ["--model", "base/model", "--data", "rankings.jsonl", "--epochs", "1"];
  run("npx", ["stagecraft", "reward", ...data, ...common, "--run", "reward"]);
  return join(project, "reward", "model");
}

/**
 * The installed service as a process of its own, on a free port.
 * @param {string} modelDir
 */
async function serve(modelDir) {
  const main = join(project, "node_modules/@stagecraft/service-reward-model/dist/main.js");
  const flags = ["--models", `reward=${modelDir}`, "--port", "0", "--engine", "cpu"];
  const child = spawn(process.execPath, [main, ...flags], { stdio: ["ignore", "ignore", "pipe"] });
  service = child;
  const port = await new Promise((resolve, reject) => {
    let output = "";
    child.stderr.on("data", (chunk) => {
      output += String(chunk);
      const found = /"port":(\d+).*"msg":"serving"/.exec(output);
      if (found) resolve(found[1]);
    });
    child.on("exit", (code) => reject(new Error(`the reward model ended with ${code}: ${output}`)));
  });
  return `127.0.0.1:${port}`;
}
