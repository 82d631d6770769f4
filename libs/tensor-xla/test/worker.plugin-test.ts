import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { openTestPlugin } from "./programs.js";

/** Starts a read of 4 MB and ends the thread at once, with buffers and programs left as they are. */
const BODY = `
const { createRequire } = require("node:module");
const addon = createRequire(process.cwd() + "/")(process.env.ADDON);
const { client } = addon.open(process.env.XLA_PLUGIN, []);
const data = new Float32Array(1 << 20);
const buffer = addon.upload(client, 0, 11, [1 << 20], data);
addon.read(buffer, data);
require("node:worker_threads").parentPort.postMessage(addon.liveBuffers(client));
process.exit(0);
`;

describe("a worker thread", () => {
  it("has a client of its own, and may end in the middle of a read", async () => {
    const here = openTestPlugin();
    const addon = new URL("../build/stagecraft_xla.node", import.meta.url).pathname;
    for (let i = 0; i < 3; i++) {
      const worker = new Worker(BODY, { eval: true, env: { ...process.env, ADDON: addon } });
      const messages: unknown[] = [];
      worker.on("message", (message) => messages.push(message));
      const code = await new Promise((resolve) => worker.once("exit", resolve));
      expect([code, messages]).toEqual([0, [1]]);
    }
    expect(here.upload(Float32Array.of(3), "f32", [1]).readSync()).toEqual(Float32Array.of(3));
    here.close();
  });
});
