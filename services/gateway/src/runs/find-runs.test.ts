import type { TrainerClient } from "@stagecraft/client";
import { trainer } from "@stagecraft/contracts";
import { describe, expect, it } from "vitest";
import { findRuns } from "./find-runs.js";

/** A trainer whose answers hold two runs each. */
function trainerOf(runIds: readonly string[]): TrainerClient {
  const listRuns = ({ pageToken }: { pageToken: string }) => {
    const [from, to] = [Number(pageToken), Number(pageToken) + 2];
    const runs = runIds.slice(from, to).map((runId) => trainer.Run.fromPartial({ runId }));
    return Promise.resolve({ runs, nextPageToken: to < runIds.length ? String(to) : "" });
  };
  return { listRuns } as never;
}

describe("findRuns()", () => {
  it("finds the runs of a trainer whose list has more than one page", async () => {
    const names = ["one", "two", "three", "four", "five"];
    const { runs, problems } = await findRuns({ dirs: [], trainer: trainerOf(names) });
    expect(problems).toEqual([]);
    expect(runs.map(({ trainerRunId }) => trainerRunId).sort()).toEqual([...names].sort());
  });
});
