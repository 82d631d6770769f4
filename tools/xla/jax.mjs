import { spawnSync } from "node:child_process";

/** Why this Python cannot check; undefined when it can. @param {string} python */
export function missingJax(python) {
  const { status } = spawnSync(python, ["-c", "import jax, jaxlib"], { stdio: "ignore" });
  return status === 0 ? undefined : `${python} has no jax and jaxlib (pip install "jax[cpu]")`;
}
