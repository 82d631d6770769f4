// `npm run deploy:images [-- --base IMAGE --build-base IMAGE --local --gpu --tag TAG NAME…]`: the images
// of deploy/images/Dockerfile with podman or docker. `--local` takes the bases that `npm run deploy:base`
// made, `--gpu` adds those for GPU nodes. npm's settings reach the build as secrets and stay out of the
// images. What follows `--option` goes to the engine's build command as it is.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { root, runTool } from "../setup/main.mjs";
import { StepError } from "../setup/steps.mjs";
import { findEngine, IMAGE_PREFIX, imageMegabytes, ULIMITS } from "./container.mjs";
import { PACKABLE } from "./pack.mjs";

const DOCKERFILE = join(root, "deploy", "images", "Dockerfile");
const LOCAL_BASE = "localhost/stagecraft-base/node:bookworm";
const LOCAL_BUILD_BASE = "localhost/stagecraft-base/node-build:bookworm";

/**
 * @typedef {object} BuildOptions
 * @property {import("./container.mjs").Engine} engine
 * @property {readonly string[]} names
 * @property {string} tag
 * @property {string} [base]
 * @property {string} [buildBase]
 * @property {string} [npmrc]
 * @property {string} [ca]
 * @property {string} [pipconf]
 * @property {string} [pjrtPlugin] what pip installs, such as `jax-cuda12-plugin[with-cuda]==0.11.2`
 * @property {readonly string[]} [options]
 *
 * @param {import("../setup/steps.mjs").Steps} steps
 * @param {BuildOptions} options
 */
export async function buildImages(steps, options) {
  for (const name of options.names) {
    const image = `${IMAGE_PREFIX}/${name}:${options.tag}`;
    await steps.command(`build ${image}`, buildCommand(name, image, options), {
      cwd: root,
      env: { ...process.env, DOCKER_BUILDKIT: "1" },
    });
    steps.note(`${image}: ${imageMegabytes(options.engine, image).toFixed(0)} MB`);
  }
}

/**
 * @param {string} name
 * @param {string} image
 * @param {BuildOptions} options
 * @returns {string[]}
 */
export function buildCommand(name, image, options) {
  const { engine, npmrc, ca, pipconf } = options;
  const podmanOnly = [`--ignorefile=${DOCKERFILE}.dockerignore`, "--layers", ...ULIMITS];
  const buildArgs = {
    BASE: options.base,
    BUILD_BASE: options.buildBase,
    PJRT_PLUGIN: options.pjrtPlugin,
  };
  const secrets = Object.entries({ npmrc, ca, pipconf }).filter(([, file]) => file);
  return [
    ...[engine, "build", "--file", DOCKERFILE, "--target", name, "--tag", image],
    ...["--network", "host"],
    ...(engine === "podman" ? podmanOnly : []),
    ...Object.entries(buildArgs).flatMap(([key, value]) =>
      value ? ["--build-arg", `${key}=${value}`] : [],
    ),
    ...secrets.flatMap(([secret, file]) => ["--secret", `id=${secret},src=${file}`]),
    ...(options.options ?? []),
    ".",
  ];
}

/**
 * A file that npm on this machine is configured with, if there is one.
 * @param {string} key `userconfig` or `cafile`
 * @returns {string | undefined}
 */
export function npmFile(key) {
  const { stdout } = spawnSync("npm", ["config", "get", key], { cwd: root, encoding: "utf8" });
  const file = stdout?.trim();
  return file && file !== "null" && existsSync(file) ? file : undefined;
}

/** The version in package.json: what the Kubernetes files ask for. */
export function defaultTag() {
  return String(JSON.parse(readFileSync(join(root, "package.json"), "utf8")).version);
}

/** The bases made here, for `--local`. */
export const localBases = { base: LOCAL_BASE, buildBase: LOCAL_BUILD_BASE };

/** Services that have an image for GPU nodes too. */
const ON_GPUS = ["policy", "reward-model", "trainer"];

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      base: { type: "string" },
      "build-base": { type: "string" },
      local: { type: "boolean", default: false },
      gpu: { type: "boolean", default: false },
      "pjrt-plugin": { type: "string" },
      tag: { type: "string", default: defaultTag() },
      engine: { type: "string" },
      npmrc: { type: "string" },
      ca: { type: "string" },
      pipconf: { type: "string" },
      option: { type: "string", multiple: true },
    },
  });
  const { "build-base": buildBase, "pjrt-plugin": pjrtPlugin, base } = values;
  await runTool("Images", async (steps) => {
    const onGpus = ON_GPUS.map((name) => `${name}-gpu`);
    const known = [...Object.keys(PACKABLE), ...(values.gpu ? onGpus : [])];
    const unknown = positionals.find((name) => ![...known, ...onGpus].includes(name));
    if (unknown) throw new StepError(`no image "${unknown}": there are ${known.join(", ")}`);
    const { tag, pipconf, option: options } = values;
    await buildImages(steps, {
      ...{ tag, pipconf, pjrtPlugin, options },
      engine: findEngine(values.engine),
      names: positionals.length > 0 ? positionals : known,
      npmrc: values.npmrc ?? npmFile("userconfig"),
      ca: values.ca ?? npmFile("cafile"),
      ...(values.local ? localBases : { base, buildBase }),
    });
    return 0;
  });
}
