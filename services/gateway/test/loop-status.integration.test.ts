import { feedback } from "@stagecraft/contracts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { reportLoop } from "../src/feedback/loop-reports.js";
import type { LoopStatus } from "../src/http/api/index.js";
import type { Database } from "../src/store/database.js";
import { openTestDatabase } from "./databases.js";
import { testServer } from "./http-kit.js";

describe("GET /api/loop", () => {
  let database: Database;
  beforeAll(async () => void (database = await openTestDatabase()));
  afterAll(() => database?.close());

  it("says that a round waits and runs; and once nobody runs it, that it was interrupted", async () => {
    let isRunning = true;
    const nothing = () => Promise.resolve();
    const loop = { start: nothing, stop: nothing, isRunning: () => isRunning };
    const { server, signIn } = await testServer(database, { loop });
    await using _server = server;
    const { call } = await signIn("Ann", "operator");
    const status = async () => (await call<LoopStatus>("GET", "/api/loop")).body;
    expect(await status()).toMatchObject({ state: "idle", isRunning: true });
    const said = { loop: "mine", round: 3, state: feedback.LoopState.WAITING, text: "It waits." };
    const report = feedback.ReportLoopRequest.fromPartial(said);
    await database.transact((tx) => reportLoop(tx, report, new Date(0)));
    expect(await status()).toMatchObject({ state: "waiting", text: "It waits.", isRunning: true });
    isRunning = false;
    const text = "Round 3 was interrupted; starting goes on with it.";
    expect(await status()).toMatchObject({ state: "idle", round: 3, text, isRunning: false });
  });

  it("says for how long nothing was heard of a loop elsewhere, which may have been killed", async () => {
    const { server, signIn, clock } = await testServer(database);
    await using _server = server;
    const { call } = await signIn("Bea", "operator");
    const silence = async (state: feedback.LoopState) => {
      const said = { loop: "elsewhere", round: 1, state, text: "So it is." };
      const report = feedback.ReportLoopRequest.fromPartial(said);
      await database.transact((tx) => reportLoop(tx, report, new Date(clock.ms - 90_000)));
      return (await call<LoopStatus>("GET", "/api/loop")).body.silentSeconds;
    };
    expect(await silence(feedback.LoopState.PPO)).toBe(90);
    expect(await silence(feedback.LoopState.WAITING)).toBe(90);
    expect(await silence(feedback.LoopState.FAILED)).toBeNull(); // it has said that it ended
    expect(await silence(feedback.LoopState.IDLE)).toBeNull();
  });
});
