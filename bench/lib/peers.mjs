import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of everything that benchmarks are made of. */
export const benchDir = join(dirname(fileURLToPath(import.meta.url)), "..");
const peersDir = join(benchDir, "peers");

/** What to tell when a peer is not there. */
export const HOW_TO_GET_PEERS = "npm run bench:peers";

/** Where `npm run bench:peers` puts what it fetches. */
export const peersCache = join(peersDir, ".cache");

/** Our protos' stubs for Python. */
export const stubsDir = join(peersCache, "stubs");

/** The Python that has torch and transformers, or undefined. */
export function peersPython() {
  const python = process.env.STAGECRAFT_PEERS_PYTHON ?? join(peersDir, ".venv", "bin", "python");
  return existsSync(python) ? python : undefined;
}

/** The llama.cpp benchmark and what it needs, or undefined. */
export function llamaCpp() {
  const binary = join(peersCache, "llamacpp-bench");
  return existsSync(binary) ? { binary, cache: peersCache } : undefined;
}

/** How to start clients on gRPC's C core; undefined when there are none. @param {readonly unknown[]} args */
export const grpcCoreLoad = (args) =>
  existsSync(stubsDir) ? python("peers/grpc_load.py", [stubsDir, ...args]) : undefined;

/** How to start one of our measured programs. @param {string} script @param {readonly unknown[]} args */
export const ours = (script, args) => ({
  command: process.execPath,
  args: [join(benchDir, script), ...args.map(String)],
});

/** How to start a peer in Python; undefined when there is none. */
export function python(script, args, env = {}) {
  const command = peersPython();
  return command && { command, args: [join(benchDir, script), ...args.map(String)], env };
}
