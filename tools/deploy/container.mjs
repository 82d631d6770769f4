import { spawnSync } from "node:child_process";
import { StepError } from "../setup/steps.mjs";

/** Where our images live until somebody pushes them: the names the Kubernetes files use. */
export const IMAGE_PREFIX = "stagecraft";

/** @typedef {"podman" | "docker"} Engine */

/**
 * The container engine: the one asked for, else podman, else docker.
 * @param {string} [wanted]
 * @returns {Engine}
 */
export function findEngine(wanted) {
  const candidates = /** @type {Engine[]} */ (["podman", "docker"]);
  const engine = candidates.find((name) => (!wanted || name === wanted) && works(name));
  if (engine) return engine;
  throw new StepError(
    wanted
      ? `${wanted} does not answer \`${wanted} info\`: is it installed and running?`
      : "no container engine: install podman (Debian: apt-get install podman runc netavark " +
          "aardvark-dns iptables) or start docker",
  );
}

/** @param {string} program */
function works(program) {
  return spawnSync(program, ["info"], { stdio: "ignore" }).status === 0;
}

/**
 * Names and numbers for `--ulimit`: podman asks for more than a container without
 * CAP_SYS_RESOURCE around it may give.
 */
export const ULIMITS = ["--ulimit=nofile=4096:4096", "--ulimit=nproc=4096:4096"];

/**
 * Runs the engine and returns what it printed. Throws StepError with its messages.
 * @param {Engine} engine
 * @param {readonly string[]} args
 * @param {{ input?: string, timeoutMs?: number }} [options]
 * @returns {string}
 */
export function engineOutput(engine, args, { input, timeoutMs } = {}) {
  const result = spawnSync(engine, args, {
    encoding: "utf8",
    maxBuffer: 2 ** 28,
    ...(input === undefined ? {} : { input }),
    ...(timeoutMs === undefined ? {} : { timeout: timeoutMs }),
  });
  if (result.status === 0) return result.stdout.trim();
  const why = result.error?.message ?? result.stderr.trim();
  throw new StepError(`${engine} ${args.join(" ")}: ${why}`);
}

/**
 * Size of a local image in MB (10⁶ bytes), all layers counted.
 * @param {Engine} engine
 * @param {string} image
 */
export function imageMegabytes(engine, image) {
  return Number(engineOutput(engine, ["image", "inspect", "-f", "{{.Size}}", image])) / 1e6;
}
