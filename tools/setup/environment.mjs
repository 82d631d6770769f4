import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { StepError, together } from "./steps.mjs";

/** Node releases that can `require` ES modules without a flag, which our tools rely on. */
export const SUPPORTED_NODE = "20.19 or later in 20.x, or 22.12 or later";

/**
 * @param {string} version such as `20.19.1`
 * @returns {boolean}
 */
export function isSupportedNode(version) {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major === 20) return minor >= 19;
  if (major === 22) return minor >= 12;
  return major > 22;
}

/** @param {string} version */
export function checkNode(version = process.versions.node) {
  if (isSupportedNode(version)) return;
  throw new StepError(
    `Node ${version} is too old: install Node ${SUPPORTED_NODE}, then run this again.`,
  );
}

/**
 * True when node_modules holds every package of the lock file at its version. npm records what it
 * installed in node_modules/.package-lock.json; optional packages (other platforms) may be absent.
 * @param {string} root
 */
export function packagesAreInstalled(root) {
  const installedFile = join(root, "node_modules", ".package-lock.json");
  if (!existsSync(installedFile)) return false;
  const wanted = readPackages(join(root, "package-lock.json"));
  const installed = readPackages(installedFile);
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === "" || entry.optional) return true;
    const found = installed[path];
    if (!found || found.version !== entry.version) return false;
    return !path.startsWith("node_modules/") || existsSync(join(root, path));
  });
}

/**
 * @param {string} file
 * @returns {Record<string, { version?: string, optional?: boolean }>}
 */
function readPackages(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8")).packages ?? {};
  } catch (error) {
    throw new StepError(`cannot read ${file}: ${error instanceof Error ? error.message : error}`);
  }
}

/**
 * Installs what is missing and builds what is stale; safe to repeat, and quick when nothing changed.
 * @param {string} root
 * @param {import("./steps.mjs").Steps} steps
 */
export async function prepare(root, steps) {
  checkNode();
  // The engine needs no package; the other two leave a processor idle.
  await together(buildNativeEngine(root, steps), installAndCompile(root, steps));
}

/**
 * @param {string} root
 * @param {import("./steps.mjs").Steps} steps
 */
async function installAndCompile(root, steps) {
  if (!packagesAreInstalled(root)) {
    await steps.command("install packages (npm ci)", ["npm", "ci"], { cwd: root });
  }
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  await steps.command("compile TypeScript", [process.execPath, tsc, "-b"], { cwd: root });
  const pages = join(root, "services", "gateway", "web", "build.mjs");
  await steps.command("build the pages", [process.execPath, pages], { cwd: root });
}

/**
 * The addon is an accelerator: without a compiler everything still runs on the plain engine.
 * @param {string} root
 * @param {import("./steps.mjs").Steps} steps
 */
async function buildNativeEngine(root, steps) {
  const script = join(root, "libs", "tensor-native", "build.mjs");
  if (!existsSync(script)) return;
  try {
    await steps.command("compile the native engine", [process.execPath, script], { cwd: root });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const logLine = reason.split("\n").at(-1) ?? reason;
    steps.note(
      `no native engine (${logLine}); going on with the plain one, which is many times slower`,
    );
  }
}

/**
 * A cluster, and the tests of the event bus, need a real nats-server.
 * @param {import("./steps.mjs").Steps} steps
 */
export async function ensureNatsServer(steps) {
  await ensureProgram(steps, {
    programs: ["nats-server"],
    debianPackage: "nats-server",
    missing:
      "nats-server (2.9 or later) is needed on the PATH: `sudo apt-get install nats-server`, " +
      "`brew install nats-server`, or https://github.com/nats-io/nats-server/releases",
  });
}

/**
 * The tests of the pages look at them through a real browser.
 * @param {import("./steps.mjs").Steps} steps
 */
export async function ensureChromium(steps) {
  await ensureProgram(steps, {
    programs: ["chromium", "chromium-browser", "google-chrome"],
    debianPackage: "chromium",
    missing:
      "Chromium is needed for the tests of the pages: `sudo apt-get install chromium`, or Google Chrome " +
      "as google-chrome on the PATH",
  });
}

/**
 * The trials of the people's side keep what people say in a real PostgreSQL, too.
 * @param {import("./steps.mjs").Steps} steps
 */
export async function ensurePostgres(steps) {
  const folder = "/usr/lib/postgresql"; // Debian keeps its programs off the PATH
  const versions = existsSync(folder) ? readdirSync(folder) : [];
  await ensureProgram(steps, {
    programs: versions.map((version) => join(folder, version, "bin", "postgres")),
    debianPackage: "postgresql",
    missing:
      "PostgreSQL is needed for the trials of the pages, where Debian puts it " +
      `(${folder}): \`sudo apt-get install postgresql\``,
  });
}

/**
 * Does nothing when one of the programs is there; on Debian as root it is installed.
 * @param {import("./steps.mjs").Steps} steps
 * @param {{ programs: readonly string[], debianPackage: string, missing: string }} options
 */
async function ensureProgram(steps, { programs, debianPackage, missing }) {
  const has = (/** @type {string} */ program) =>
    spawnSync(program, ["--version"], { stdio: "ignore" }).status === 0;
  if (programs.some(has)) return;
  if (process.getuid?.() !== 0 || !has("apt-get")) throw new StepError(missing);
  await steps.command("apt-get update", ["apt-get", "update"]);
  const install = ["apt-get", "install", "-y", "--no-install-recommends", debianPackage];
  await steps.command(`install ${debianPackage}`, install);
}
