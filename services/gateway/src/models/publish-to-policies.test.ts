import { trainer } from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";
import { describe, expect, it } from "vitest";
import { publishToPolicies, type PublishOptions } from "./publish-to-policies.js";

const { RunState } = trainer;
const version = { name: "assistant", version: 3, path: "/data/runs/ppo/model" };

/** A trainer whose run goes through these states. */
function trainerOf(states: trainer.RunState[], message = "") {
  const asked: object[] = [];
  const client = {
    createRun: (request: object) => Promise.resolve(void asked.push(request)),
    getRun: () =>
      Promise.resolve({
        run: { state: states.length > 1 ? states.shift() : states[0], error: { message } },
      }),
    cancelRun: (request: object) => Promise.resolve(void asked.push(request)),
  } as unknown as PublishOptions["client"];
  return { client, asked };
}

describe("publishToPolicies()", () => {
  it("a version that is promoted on a gateway of its own is published by the trainer", async () => {
    const { client, asked } = trainerOf([RunState.PENDING, RunState.RUNNING, RunState.SUCCEEDED]);
    await publishToPolicies(version, { client, everyMs: 1 });
    expect(asked).toEqual([
      {
        ...{ runId: "publish-assistant", stage: "publish", config: { model: version.path } },
        ...{ overwrite: true, resume: false, runDir: "publish-assistant" },
      },
    ]);
  });

  it("says that registry and policies differ when the trainer works on another run, or refuses", async () => {
    const waiting = trainerOf([RunState.PENDING]);
    const publishing = publishToPolicies(version, {
      client: waiting.client,
      everyMs: 1,
      timeoutMs: 5,
    });
    await expect(publishing).rejects.toMatchObject({
      code: "failed_precondition",
      message: expect.stringMatching(
        /assistant@3 .*do not serve it: the trainer works on another run/,
      ) as string,
    });
    expect(waiting.asked.at(-1)).toEqual({ runId: "publish-assistant" }); // cancelled
    const failed = trainerOf([RunState.FAILED], "another architecture");
    await expect(publishToPolicies(version, { client: failed.client })).rejects.toThrow(
      "another architecture",
    );
    const outside = new StagecraftError("permission_denied", "model is outside of the folders");
    const client = { ...failed.client, createRun: () => Promise.reject(outside) };
    await expect(publishToPolicies(version, { client })).rejects.toThrow("outside of the folders");
  });
});
