// `npm run deploy:base`: the base images made on this machine, for places where none can be
// downloaded: Debian 12 by debootstrap, and this machine's own Node, because Debian 12 packages
// Node 18 and Stagecraft needs 20.19. A stand-in for node:22-bookworm(-slim), never for production.
// Needs root and debootstrap. Makes stagecraft-base/{node,node-build,nats,postgres}:bookworm, or those named.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync } from "node:fs";
import { realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { runTool } from "../setup/main.mjs";
import { StepError } from "../setup/steps.mjs";
import { findEngine, imageMegabytes } from "./container.mjs";

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    engine: { type: "string" },
    mirror: { type: "string", default: "http://deb.debian.org/debian" },
  },
});
const SUITE = "bookworm";
const NODE_NEEDS = ["ca-certificates", "libstdc++6"];
const BUILD_NEEDS = [...NODE_NEEDS, "g++", "make", "python3"];
/** Nothing in a container reads these. */
const NEEDLESS = ["usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/locale"];
const CACHES = ["var/cache/apt", "var/lib/apt/lists", "var/cache/debconf", "var/log"];

await runTool("Base images from Debian's packages", async (steps) => {
  const engine = findEngine(flags.engine);
  if (process.getuid?.() !== 0) throw new StepError("debootstrap needs root");
  const work = mkdtempSync(join(tmpdir(), "stagecraft-base-"));
  /** @type {Record<string, (folder: string) => Promise<void>>} */
  const images = {
    async node(folder) {
      await debootstrap(steps, folder, NODE_NEEDS);
      copyNode(folder);
    },
    async "node-build"(folder) {
      await debootstrap(steps, folder, BUILD_NEEDS);
      copyNode(folder);
      copyNpm(folder);
    },
    async nats(folder) {
      await debootstrap(steps, folder, NODE_NEEDS);
      await addNatsServer(steps, folder, join(work, "deb"));
    },
    postgres: (folder) => debootstrap(steps, folder, ["postgresql"]),
  };
  const unknown = positionals.filter((name) => !(name in images));
  if (unknown.length > 0) throw new StepError(`no such image: ${unknown.join(", ")}`);
  try {
    for (const name of positionals.length > 0 ? positionals : Object.keys(images)) {
      await images[name]?.(join(work, name));
      await importImage(steps, join(work, name), `stagecraft-base/${name}:${SUITE}`);
      rmSync(join(work, name), { recursive: true, force: true });
    }
    return 0;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }

  /**
   * @param {import("../setup/steps.mjs").Steps} steps
   * @param {string} folder
   * @param {string} image
   */
  async function importImage(steps, folder, image) {
    const tar = `${folder}.tar`;
    const name = engine === "podman" ? `localhost/${image}` : image;
    await steps.command(`pack ${image}`, ["tar", "-C", folder, "-cf", tar, "."]);
    const path = "ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin";
    await steps.command(`import ${image}`, [engine, "import", "--change", path, tar, name]);
    rmSync(tar);
    steps.note(`${name}: ${imageMegabytes(engine, name).toFixed(0)} MB`);
  }
});

/**
 * @param {import("../setup/steps.mjs").Steps} steps
 * @param {string} folder
 * @param {readonly string[]} packages
 */
async function debootstrap(steps, folder, packages) {
  const include = `--include=${packages.join(",")}`;
  const command = ["debootstrap", "--variant=minbase", include, SUITE, folder, flags.mirror];
  await steps.command(`debootstrap ${packages.length} packages`, command);
  for (const path of NEEDLESS) rmSync(join(folder, path), { recursive: true, force: true });
  for (const path of CACHES) empty(join(folder, path));
}

/** @param {string} folder */
function empty(folder) {
  for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true });
}

/** @param {string} folder */
function copyNode(folder) {
  const bin = join(folder, "usr", "local", "bin");
  mkdirSync(bin, { recursive: true });
  cpSync(realpathSync(process.execPath), join(bin, "node"));
}

/**
 * npm with its node-gyp, and Node's headers for the addon.
 * @param {string} folder
 */
function copyNpm(folder) {
  const prefix = dirname(dirname(realpathSync(process.execPath)));
  const npm = join(prefix, "lib", "node_modules", "npm");
  const headers = join(prefix, "include", "node");
  if (!existsSync(npm)) throw new StepError(`npm is not beside this Node: ${npm} is missing`);
  if (!existsSync(headers)) throw new StepError(`Node's headers are missing: ${headers}`);
  const local = join(folder, "usr", "local");
  cpSync(npm, join(local, "lib", "node_modules", "npm"), { recursive: true, dereference: true });
  cpSync(headers, join(local, "include", "node"), { recursive: true, dereference: true });
  symlinkSync("../lib/node_modules/npm/bin/npm-cli.js", join(local, "bin", "npm"));
}

/**
 * @param {import("../setup/steps.mjs").Steps} steps
 * @param {string} folder
 * @param {string} work
 */
async function addNatsServer(steps, folder, work) {
  mkdirSync(work);
  // _apt may not write here; root downloads
  const download = ["apt-get", "-o", "APT::Sandbox::User=root", "download", "nats-server"];
  await steps.command("download nats-server", download, { cwd: work });
  const [deb = ""] = readdirSync(work);
  const { status } = spawnSync("dpkg-deb", ["-x", join(work, deb), join(work, "files")]);
  const binary = join(work, "files", "usr", "sbin", "nats-server");
  if (status !== 0 || !existsSync(binary)) throw new StepError(`no nats-server inside ${deb}`);
  cpSync(binary, join(folder, "usr", "local", "bin", "nats-server"));
}
