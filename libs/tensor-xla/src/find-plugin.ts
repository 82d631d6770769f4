import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

/** Where the wheels of JAX put their plugins, below a folder of Python packages; best first. */
const PLUGINS = ["13", "12"].map((cuda) =>
  join("jax_plugins", `xla_cuda${cuda}`, "xla_cuda_plugin.so"),
);

/** Where NVIDIA's wheels put `bin/ptxas` and `nvvm/libdevice`, which XLA's compiler needs. */
const CUDA_TOOLS = [join("nvidia", "cu13"), join("nvidia", "cuda_nvcc")];

/** What to do where no plugin is found. */
export const HOW_TO_GET_A_PLUGIN =
  'install one with `pip install "jax-cuda13-plugin[with-cuda]"` (jax-cuda12-plugin for an older driver) for ' +
  "the python3 on the PATH, or name its file xla_cuda_plugin.so in the setting `plugin`";

/**
 * The CUDA plugin that pip installed for a Python, or undefined.
 * @param folders of Python packages, in order; default those of the python3 on the PATH
 */
export function findPjrtPlugin(folders: readonly string[] = pythonFolders()): string | undefined {
  return PLUGINS.flatMap((plugin) => folders.map((folder) => join(folder, plugin))).find((file) =>
    existsSync(file),
  );
}

/** Where a Python looks for packages: none when there is no Python. */
export function pythonFolders(python = "python3"): string[] {
  const program = "import sys; print('\\n'.join(sys.path))";
  const { stdout } = spawnSync(python, ["-c", program], { encoding: "utf8" });
  return (stdout ?? "").split("\n").filter((folder) => folder !== "");
}

/** The folder of CUDA's tools beside a plugin that pip installed. */
export function findCudaTools(plugin: string): string | undefined {
  const packages = dirname(dirname(dirname(plugin)));
  return CUDA_TOOLS.map((folder) => join(packages, folder)).find((folder) =>
    existsSync(join(folder, "bin", "ptxas")),
  );
}
