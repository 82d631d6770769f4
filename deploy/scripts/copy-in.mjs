// Copies a model directory into the object store of the cluster's broker, as the newest version of nats://NAME
// (through the component model-loader), or another folder or a file to the trainer, as /data/in/NAME, in place of what
// has that name:
// `node deploy/scripts/copy-in.mjs [--namespace stagecraft] runs/sft/model policy`
// Needs kubectl. (`kubectl cp` would put a directory into one that exists.)
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { runScript } from "./run-script.mjs";

/** Unpacks beside the old one. */
const RECEIVE = `set -e
mkdir -p "$1"
cd "$1"
rm -rf ".$2.new" ".$2.old"
mkdir ".$2.new"
tar -x -f - -C ".$2.new"`;

/** Puts what came whole in the place of the old one: nobody reads half a model. */
const PUT = `set -e
cd "$1"
test -e ".$2.new/$3"
if [ -e "$2" ]; then mv "$2" ".$2.old"; fi
mv ".$2.new/$3" "$2"
rm -rf ".$2.new" ".$2.old"`;

const DROP = `cd "$1" && rm -rf ".$2.new"`;

/**
 * @param {object} options
 * @param {string} options.path a directory or a file here
 * @param {string} options.name what it is called there
 * @param {string} options.into folder there
 * @param {string[]} options.through command that runs another one there
 */
export async function copyIn({ path, name, into, through }) {
  const from = resolve(path);
  const entry = basename(from);
  const pack = ["tar", "-c", "-f", "-", "-C", dirname(from), entry];
  const there = (/** @type {string} */ script) => {
    const running = start([...through, "sh", "-c", script, "sh", into, name, entry]);
    running.child.stdout.pipe(process.stdout);
    return running;
  };
  const packing = start(pack);
  const receiving = there(RECEIVE);
  packing.child.stdin.end();
  const copying = pipeline(packing.child.stdout, receiving.child.stdin);
  const ends = await Promise.allSettled([packing.ended, receiving.ended, copying]);
  // What could not be read here is known only when the packing is over.
  const failed = ends.find(({ status }) => status === "rejected");
  const ending = there(failed ? DROP : PUT);
  ending.child.stdin.end();
  const [end] = await Promise.allSettled([ending.ended]);
  const problem = failed ?? end;
  if (problem.status === "rejected") throw problem.reason;
}

/** @param {string[]} command */
function start([program = "", ...args]) {
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(child, "close").then(([code]) => {
    if (code !== 0) throw new Error(`${program} ended with ${code}`);
  });
  return { child, ended };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  await runScript("copy-in.mjs", main);
}

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { namespace: { type: "string", default: "stagecraft" } },
  });
  const [path, name] = positionals;
  if (!path || !name) throw new Error("usage: copy-in.mjs [--namespace NAME] PATH NAME");
  if (!/^\w[\w.-]*$/.test(name)) throw new Error(`"${name}" is no name for a model or a file`);
  if (!existsSync(path)) throw new Error(`${path} is not there`);
  if (existsSync(join(path, "run.json"))) throw new Error(`${path} is a run: copy ${path}/model`);
  const exec = ["kubectl", "--namespace", values.namespace, "exec", "--stdin"];
  if (existsSync(join(path, "config.json"))) {
    const loader = [...exec, "deployment/model-loader", "--"];
    await copyIn({ path, name, into: "/models", through: loader });
    const push = ["models", "push", `/models/${name}`, `nats://${name}`];
    const pushing = start([...loader, "node", "libs/cli/bin/stagecraft.mjs", ...push]);
    pushing.child.stdin.end();
    pushing.child.stdout.pipe(process.stdout);
    await pushing.ended;
    console.log(`${path} is nats://${name}`);
  } else {
    await copyIn({ path, name, into: "/data/in", through: [...exec, "deployment/trainer", "--"] });
    console.log(`${path} is /data/in/${name} of the trainer`);
  }
}
