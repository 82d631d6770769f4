import { spawnSync } from "node:child_process";

/**
 * PyTorch's figures of a training step, by the script `peer`. Throws the reason where that Python gives none.
 * @param {{ python: string, peer: string }} programs
 * @param {object} about shape, products and steps
 * @returns {unknown}
 */
export function torchStep({ python, peer }, about) {
  const { error, status, signal, stdout, stderr } = spawnSync(
    python,
    [peer, JSON.stringify(about)],
    { encoding: "utf8" },
  );
  if (error) throw new Error(`${python} does not run: ${error.message}`);
  if (status === 0) return JSON.parse(stdout);
  const last = stderr.trim().split("\n").at(-1);
  throw new Error(
    `${python} ended by ${signal ?? `exit code ${status}`}: ${last || "it said nothing"}`,
  );
}
