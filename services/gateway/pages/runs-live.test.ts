/// <reference lib="dom" />
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { connectTrainer } from "@stagecraft/client";
import {
  hasNatsServer,
  startNatsServer,
  startProcess,
  tempDir,
  waitFor,
  type StartedProcess,
} from "@stagecraft/testing";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { addPerson, newSignInToken } from "../src/auth/people.js";
import { createRunCatalog } from "../src/runs/run-catalog.js";
import { openTestDatabase } from "../test/databases.js";
import { testServer } from "../test/http-kit.js";
import { CHROMIUM, openPage, startBrowser } from "./browser.js";
import { plotted } from "./plotted.js";

const TRAINER = fileURLToPath(new URL("../../trainer/dist/main.js", import.meta.url));
const pagesDir = join(import.meta.dirname, "..", "dist", "web");
const STEPS = 400;

/** A port that is free now, the same for a trainer and its successor. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function startTrainer(dir: string, port: number, natsUrl: string): Promise<StartedProcess> {
  const flags = {
    ...{ port, "runs-dir": join(dir, "runs"), "read-dirs": dir, "weights-dir": join(dir, "w") },
    ...{ engine: "cpu", "nats-url": natsUrl, "lease-ms": 1000 },
  };
  const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const started = await startProcess(process.execPath, [TRAINER, ...args]);
  const isReady = () => /"serving"/.test(started.output()) || started.child.exitCode !== null;
  await waitFor(isReady, { what: "the trainer to serve", timeoutMs: 60_000 });
  if (started.child.exitCode !== null) throw new Error(started.output());
  return started;
}

/** Fills in the form for a tiny model on a few letters. */
async function startRun(page: Page, corpus: string): Promise<void> {
  await page.click("text=Start a run");
  await page.selectOption(".start-form select", "pretrain");
  const fill = (name: string, value: string | number) =>
    page.fill(`[data-field="${name}"]`, String(value));
  await page.fill('label:has-text("Name") input', "live");
  await page.click("text=Everything else of pretrain");
  await fill("corpus", corpus);
  const sizes = { numLayers: 1, numHeads: 2, hiddenSize: 8, contextLength: 16, batchSize: 2 };
  const often = { steps: STEPS, logEvery: 1, evalEvery: 100, checkpointEvery: 10, threads: 1 };
  for (const [name, value] of Object.entries({ ...sizes, ...often })) await fill(name, value);
  await page.locator('[data-field="engine"]').selectOption("cpu");
  await page.click("button:text-is('Start')");
}

const missing = !CHROMIUM || !existsSync(TRAINER) || !hasNatsServer();

describe.skipIf(missing)("a run on the page while its trainer is killed", () => {
  let browser: Browser;
  beforeAll(async () => void (browser = await startBrowser()));
  afterAll(() => browser?.close());

  it("started, watched, paused, resumed: the curve has no gap and no double point", async () => {
    await using directory = await tempDir();
    const dir = directory.path;
    const corpus = join(dir, "text.txt");
    await writeFile(corpus, "the cat sat on the mat and the dog sat on the log. ".repeat(60));
    await mkdir(join(dir, "runs"));
    await using nats = await startNatsServer({ maxFileStoreBytes: 8 * 1024 ** 3 });
    const port = await freePort();
    let trainer = await startTrainer(dir, port, nats.url);
    await using client = connectTrainer(`127.0.0.1:${port}`);
    const database = await openTestDatabase();
    const runs = createRunCatalog({ dirs: [join(dir, "runs")], trainer: client });
    const { server, clock } = await testServer(database, { pagesDir, runs });
    await using _server = server;
    try {
      const { origin } = await server.start();
      const { token } = await database.transact(async (tx) =>
        newSignInToken(tx, await addPerson(tx, "Olga", ["operator"]), new Date(clock.ms)),
      );
      const page = await openPage(browser, `${origin}/sign-in#${token}`);
      await page.click("nav >> text=Runs");
      await startRun(page, corpus);
      const steps = async () =>
        ((await plotted(page, "Loss"))["live training"] ?? []).map(([step]) => step);
      const reaches = (step: number) =>
        expect
          .poll(async () => (await steps()).at(-1) ?? 0, { timeout: 90_000 })
          .toBeGreaterThan(step);

      await reaches(20);
      await page.click("section.run >> text=Pause");
      await page.waitForSelector("section.run .tag:text-is('paused')");
      const paused = (await steps()).at(-1)!;
      expect(paused).toBeLessThan(STEPS);
      await page.click("section.run >> text=Resume");
      await reaches(paused + 20);

      const killedAt = (await steps()).at(-1)!;
      await trainer.kill("SIGKILL");
      trainer = await startTrainer(dir, port, nats.url); // goes on with the run by itself
      await reaches(killedAt + 20);
      await page.waitForSelector("section.run .tag:text-is('succeeded')", { timeout: 120_000 });
      await reaches(STEPS - 1);

      const drawn = (await plotted(page, "Loss"))["live training"]!;
      expect(drawn.map(([step]) => step)).toEqual(Array.from({ length: STEPS }, (_, i) => i + 1));
      const text = await readFile(join(dir, "runs", "live", "metrics.jsonl"), "utf8");
      const written = text
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as never);
      const losses = written.filter(({ kind }) => kind === "train");
      expect(drawn).toEqual(losses.map(({ step, loss }) => [step, loss]));
      const run = JSON.parse(
        await readFile(join(dir, "runs", "live", "run.json"), "utf8"),
      ) as object;
      expect(run).toMatchObject({ attempts: 3, state: "succeeded" });
      expect(page.problems).toEqual([]);
      await page.context().close();
    } finally {
      await trainer[Symbol.asyncDispose]();
      await database.close();
    }
  });
});
