import { expect, it } from "vitest";
import { runCli } from "./spawn-cli.js";

/** Tells each module as it is loaded. */
const HOOKS = `import { writeSync } from "node:fs";
export function load(url, context, next) {
  writeSync(2, "loads " + url + "\\n");
  return next(url, context);
}`;
const moduleOf = (text: string) => `data:text/javascript,${encodeURIComponent(text)}`;
const REGISTER = `import { register } from "node:module"; register(${JSON.stringify(moduleOf(HOOKS))});`;

it("a stage that meets nobody loads no client of NATS or gRPC, and no writer of tables", async () => {
  const env = { ...process.env, NODE_OPTIONS: `--import=${moduleOf(REGISTER)}` };
  const { err } = await runCli(["pretrain", "--corpus", "no-such-file"], { env });
  const loaded = [...err.matchAll(/^loads (.+)$/gm)].map(([, url]) => url!);
  expect(loaded.some((url) => url.includes("/libs/learn/"))).toBe(true); // all that it needs is here
  const packages = ["nats", "@grpc/grpc-js", "prom-client", "pino", "hyparquet-writer"];
  const needless = packages.filter((name) =>
    loaded.some((url) => url.includes(`/node_modules/${name}/`)),
  );
  expect(needless).toEqual([]);
});
