// `npm run deploy:podman-run [-- --updates N --tag TAG --build --keep]`: PPO through the images on
// this machine. NATS, policy, reward-model, two rollout workers and the trainer run as containers as
// Kubernetes would run them (a user of their own, root file system read-only, no capabilities, the
// ConfigMaps of deploy/kustomize/base); a few updates on a tiny model must succeed and everything must
// stop in good order. Nothing of it stays.
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { root, runTool } from "../setup/main.mjs";
import { StepError } from "../setup/steps.mjs";
import { engineOutput, findEngine, IMAGE_PREFIX, ULIMITS } from "./container.mjs";
import { buildImages, defaultTag, localBases, npmFile } from "./images.mjs";
import { PACKABLE } from "./pack.mjs";

const { values: flags } = parseArgs({
  options: {
    updates: { type: "string", default: "3" },
    tag: { type: "string", default: defaultTag() },
    "nats-image": { type: "string", default: "localhost/stagecraft-base/nats:bookworm" },
    build: { type: "boolean", default: false },
    keep: { type: "boolean", default: false },
  },
});
const podman = findEngine("podman");
const id = `stagecraft-run-${process.pid}`;
const scratch = mkdtempSync(join(tmpdir(), `${id}-`));
const CONFIG = join(root, "deploy", "kustomize", "base", "config");
const WORKERS = ["rollout-1", "rollout-2"];
/** Stop order: those that hold work first, the bus last. */
const SERVICES = ["trainer", ...WORKERS, "policy", "reward-model"];
const ACCESS = ["--volume", `${join(scratch, "access")}:/etc/access:ro`];
const STOP_SECONDS = 60;
/** What the ConfigMap of NATS has, and from which files. */
const NATS_FILES = {
  "nats.conf": "nats.conf",
  "tls.conf": "nats-tls.conf",
  "users.conf": "nats-users.conf",
};

const PROBE = `
const fs = require("node:fs");
let written = "";
try { fs.writeFileSync("/app/x", "x"); written = "/app"; } catch {}
fs.writeFileSync("/tmp/x", "x");
const tools = ["npm", "npx", "tsc", "g++", "make", "python3"].filter((tool) =>
  process.env.PATH.split(":").some((folder) => fs.existsSync(folder + "/" + tool)));
console.log(JSON.stringify({ uid: process.getuid(), written, tools }));`;

const LOCKED_DOWN = [
  ...["--read-only", "--tmpfs", "/tmp:rw,size=64m", "--user", "10001:10001"],
  ...["--cap-drop", "all", "--security-opt", "no-new-privileges", ...ULIMITS],
];

await runTool("PPO through the images, with podman", async (steps) => {
  if (flags.build) {
    const names = Object.keys(PACKABLE);
    const npm = { npmrc: npmFile("userconfig"), ca: npmFile("cafile") };
    await buildImages(steps, { engine: podman, names, tag: flags.tag, ...npm, ...localBases });
  }
  try {
    run("network", "create", id);
    await steps.run("tiny models on a volume", () => cli("make-models.mjs", "/models"));
    writeAccess();
    startNats();
    await steps.run("five services", startServices);
    const seen = await steps.run(`${flags.updates} PPO updates`, () =>
      cli("drive.mjs", flags.updates, ...WORKERS),
    );
    const checked = SERVICES.map(checkLockedDown);
    const codes = await steps.run("SIGTERM, in order", () => SERVICES.map(stop));
    const summary = JSON.parse(String(seen.split("\n").at(-1)));
    console.log(JSON.stringify({ ...summary, checked, exitCodes: codes }, null, 2));
    const failed = codes.some(({ code }) => code !== 0);
    return failed ? 1 : 0;
  } catch (error) {
    for (const name of ["nats", ...SERVICES]) printLogs(name);
    throw error;
  } finally {
    if (flags.keep) steps.note(`kept: podman ps --filter name=${id}`);
    else removeAll();
    rmSync(scratch, { recursive: true, force: true });
  }
});

/** @param {...string} args */
function run(...args) {
  return engineOutput(podman, args, { timeoutMs: 600_000 });
}

/**
 * A script of deploy/scripts in the cli image, above its packages, on the network of the run.
 * @param {string} script
 * @param {...string} args
 */
function cli(script, ...args) {
  const scripts = `${join(root, "deploy", "scripts")}:/app/scripts:ro`;
  return run(
    ...["run", "--rm", "--network", id, ...LOCKED_DOWN, "--volume", scripts],
    ...[...volume("models", "/models"), ...ACCESS, "--entrypoint", "node"],
    ...[`${IMAGE_PREFIX}/cli:${flags.tag}`, `/app/scripts/${script}`, ...args],
  );
}

/**
 * A named volume of this run; `U` gives it to the container's user.
 * @param {string} name
 * @param {string} path
 */
function volume(name, path, options = "U") {
  return ["--volume", `${id}-${name}:${path}:${options}`];
}

/**
 * @param {string} name
 * @param {readonly string[]} options
 * @param {string} image
 * @param {...string} command
 */
function start(name, options, image, ...command) {
  const alias = name.startsWith("rollout") ? [] : ["--network-alias", name];
  return run(
    ...["run", "--detach", "--name", `${id}-${name}`, "--network", id, ...alias],
    ...["--network-alias", name, ...LOCKED_DOWN, ...options, image, ...command],
  );
}

/** Debian's server is 2.9: it lacks what production asks of 2.12, one setting. */
function startNats() {
  const folder = join(scratch, "nats");
  mkdirSync(folder, { mode: 0o755 });
  for (const [name, from] of Object.entries(NATS_FILES)) {
    const text = readFileSync(join(CONFIG, from), "utf8");
    writeFileSync(join(folder, name), text.replace(/^\s*sync_interval:.*$/m, ""), { mode: 0o644 });
  }
  const options = ["--volume", `${folder}:/etc/nats:ro`, "--env", "POD_NAME=nats-0"];
  const command = ["nats-server", "--config", "/etc/nats/nats.conf"];
  start("nats", [...options, ...volume("nats", "/data")], flags["nats-image"], ...command);
}

/** The Secret of Kubernetes: what servers accept, and what workers and the driver show. */
function writeAccess() {
  const [worker, admin] = [randomBytes(24).toString("hex"), randomBytes(24).toString("hex")];
  mkdirSync(join(scratch, "access"), { mode: 0o755 });
  const tokens = `worker=generate+score:${worker},driver=admin:${admin}`;
  for (const [name, text] of Object.entries({ tokens, worker, admin })) {
    writeFileSync(join(scratch, "access", name), text, { mode: 0o644 });
  }
}

function startServices() {
  const models = volume("models", "/models", "ro");
  service("policy", "policy", models);
  service("reward-model", "reward-model", models);
  for (const worker of WORKERS) service(worker, "rollout", []);
  const data = volume("data", "/data");
  service("trainer", "trainer", [...models, ...data]);
}

/**
 * @param {string} name
 * @param {"policy" | "reward-model" | "rollout" | "trainer"} kind
 * @param {readonly string[]} volumes
 */
function service(name, kind, volumes) {
  const config = `${join(CONFIG, `${kind}.yaml`)}:/etc/stagecraft/config.yaml:ro`;
  const prefix = `STAGECRAFT_${kind.toUpperCase().replace("-", "_")}`;
  const options = [
    ...["--volume", config, ...ACCESS, "--env", `${prefix}_TOKENS_FILE=/etc/access/tokens`],
    ...(kind === "rollout"
      ? ["--env", `${prefix}_CALL_TOKEN_FILE=/etc/access/worker`]
      : ["--env", `${prefix}_THREADS=1`]),
  ];
  const image = `${IMAGE_PREFIX}/${kind}:${flags.tag}`;
  start(name, [...options, ...volumes], image, "--config", "/etc/stagecraft/config.yaml");
}

/**
 * Inside the running container: not root, nothing but /tmp can be written, no build tools.
 * @param {string} name
 */
function checkLockedDown(name) {
  const found = JSON.parse(run("exec", `${id}-${name}`, "node", "-e", PROBE));
  if (found.uid === 0 || found.written !== "" || found.tools.length > 0) {
    throw new StepError(`${name} is not locked down: ${JSON.stringify(found)}`);
  }
  return name;
}

/**
 * @param {string} name
 * @returns {{ name: string, code: number, seconds: number }}
 */
function stop(name) {
  const startMs = Date.now();
  run("stop", "--time", String(STOP_SECONDS), `${id}-${name}`);
  const code = Number(run("inspect", "-f", "{{.State.ExitCode}}", `${id}-${name}`));
  return { name, code, seconds: Math.round((Date.now() - startMs) / 100) / 10 };
}

/** @param {string} name */
function printLogs(name) {
  process.stderr.write(`--- ${name}\n`);
  spawnSync(podman, ["logs", "--tail", "15", `${id}-${name}`], { stdio: ["ignore", 2, 2] });
}

function removeAll() {
  const names = ["nats", ...SERVICES].map((name) => `${id}-${name}`);
  engineOutput(podman, ["rm", "--force", "--ignore", "--time", "1", ...names]);
  engineOutput(podman, ["network", "rm", "--force", id]);
  const volumes = ["models", "data", "nats"].map((name) => `${id}-${name}`);
  engineOutput(podman, ["volume", "rm", "--force", ...volumes]);
}
