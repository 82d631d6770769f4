// Where this machine's own node-gyp and Node headers are, so that addons compile without any download.
import { existsSync, realpathSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";

/** node-gyp inside the npm that runs this, that lies beside node, or that is on the PATH. */
export function findNodeGyp() {
  const npmCli = process.env.npm_execpath;
  const prefix = dirname(dirname(realpathSync(process.execPath)));
  const onPath = (process.env.PATH ?? "")
    .split(delimiter)
    .map((dir) => join(dir, "npm"))
    .filter((file) => existsSync(file))
    .map((file) => dirname(dirname(realpathSync(file))));
  const roots = [
    ...(npmCli ? [dirname(dirname(realpathSync(npmCli)))] : []),
    join(prefix, "lib", "node_modules", "npm"),
    join(prefix, "node_modules", "npm"),
    ...onPath,
  ];
  const found = roots
    .map((root) => join(root, "node_modules", "node-gyp", "bin", "node-gyp.js"))
    .find((file) => existsSync(file));
  if (!found) throw new Error("npm's node-gyp was not found: install npm 9 or later");
  return found;
}

/** Where Node's headers are, or undefined to let node-gyp look for them. */
export function findNodeDir() {
  const configured = process.env.npm_config_nodedir;
  const beside = dirname(dirname(realpathSync(process.execPath)));
  return [configured, beside].find(
    (dir) => dir && existsSync(join(dir, "include", "node", "node_api.h")),
  );
}
