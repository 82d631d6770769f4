import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { startProcess, tempDir } from "@stagecraft/testing";
import { expect, it } from "vitest";
import { spawnCli } from "../spawn-cli.js";

const mainOf = (service: string) =>
  fileURLToPath(new URL(`../../../../services/${service}/dist/main.js`, import.meta.url));

/** Starts a service that will not come far; what it says last. */
async function lastWords(service: string, flags: Record<string, string>): Promise<string> {
  const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]);
  await using process_ = await startProcess(process.execPath, [mainOf(service), ...args]);
  expect(await process_.exited).toBe(1);
  return process_.output();
}

it("policy and reward model load no model that the trainer's key has not signed", async () => {
  await using dir = await tempDir();
  const [model, keys] = [dir.file("model"), dir.file("keys")];
  const run = async (...args: string[]) => (await spawnCli(["keys", ...args]).done).code;
  expect(await run("create", keys)).toBe(0);
  expect(await run("create", model)).toBe(0); // any files make a folder to sign
  const verify = { "verify-keys": `${keys}/public.pem`, port: "0" };
  const starts = () =>
    Promise.all([
      lastWords("policy", { "model-dir": model, "weights-dir": dir.file("w"), ...verify }),
      lastWords("reward-model", { models: `rm=${model}`, ...verify }),
    ]);
  for (const words of await starts()) expect(words).toContain(`model ${model} is not signed`);
  expect(await run("sign", model, "--key", `${keys}/private.pem`)).toBe(0);
  expect(await run("verify", model, "--key", `${keys}/public.pem`)).toBe(0);
  await writeFile(`${model}/public.pem`, "changed");
  expect(await run("verify", model, "--key", `${keys}/public.pem`)).toBe(1);
  for (const words of await starts()) expect(words).toContain("is not what key");
}, 60_000);
