import { StagecraftError } from "@stagecraft/core";
import { describe, expect, it } from "vitest";
import {
  deleteTopology,
  ensureTopology,
  deploymentTopology,
  setUpTopology,
  type Topology,
} from "@stagecraft/bus";
import { bytes, type BusKit } from "./kit.js";

/** What a deployment uses: set up as often as one likes, removed at the end. */
export function describeTopology(kit: BusKit): void {
  describe("setUpTopology()", () => {
    it("says what it created, changed and found as it should be", async () => {
      const outcomes = async (topology: Topology) =>
        (await setUpTopology(kit.bus, topology)).map(({ kind, outcome }) => `${kind} ${outcome}`);
      const topology = deploymentTopology("told");
      // The streams of dead letters and of the canary are there already.
      const shared = ["stream unchanged", "stream unchanged"];
      expect(await outcomes(topology)).toEqual([
        ...["stream created", "stream created", ...shared],
        ...["consumer created", "consumer created", "bucket created"],
      ]);
      expect(new Set((await outcomes(topology)).map((text) => text.split(" ")[1]))).toEqual(
        new Set(["unchanged"]),
      );
      const changed = deploymentTopology("told", {
        promptsMaxBytes: 2 ** 25,
        taskAckWaitMs: 60_000,
      });
      expect(await outcomes(changed)).toEqual([
        ...["stream updated", "stream unchanged", ...shared],
        ...["consumer updated", "consumer unchanged", "bucket unchanged"],
      ]);
    });
  });

  describe("ensureTopology()", () => {
    it("can be repeated, and with other limits", async () => {
      const topology = await ensureTopology(kit.bus, "again");
      await kit.bus.publish(topology.subjects.prompts, bytes("kept"), { id: "1" });
      await ensureTopology(kit.bus, "again");
      await ensureTopology(kit.bus, "again", { promptsMaxBytes: 32 * 1024 * 1024 });
      expect((await kit.bus.consumerInfo(topology.promptsConsumer)).pending).toBe(1);
      await kit.bus.checkReady(2000);
    });

    it("reserves no gigabytes for weights that nobody publishes; a run reserves what it needs", async () => {
      const sizeOf = async (name: string) => (await kit.bus.streamInfo(`OBJ_${name}`)).maxBytes;
      const { weightsBucket } = await ensureTopology(kit.bus, "idle");
      expect(await sizeOf(weightsBucket)).toBe(2 ** 24);
      await (await kit.bus.objects(weightsBucket)).reserve(2 ** 26, { grow: true });
      await ensureTopology(kit.bus, "idle"); // another service starts
      expect(await sizeOf(weightsBucket)).toBe(2 ** 26);
      const options = { weightsStartBytes: 2 ** 30 };
      const { weightsBucket: admins } = await ensureTopology(kit.bus, "admins", options);
      expect(await sizeOf(admins)).toBe(2 ** 30);
    });

    it("can be run by many processes at once", async () => {
      await Promise.all([1, 2, 3, 4].map(() => ensureTopology(kit.bus, "crowd")));
      expect((await kit.bus.streamInfo("PROMPTS_crowd")).messages).toBe(0);
    });

    it("removes what one deployment used, dead letters excepted", async () => {
      const topology = await ensureTopology(kit.bus, "ended");
      await deleteTopology(kit.bus, topology);
      await deleteTopology(kit.bus, topology);
      await expect(kit.bus.streamInfo("PROMPTS_ended")).rejects.toMatchObject({
        code: "not_found",
      });
      await kit.bus.streamInfo("DEAD");
    });

    it("refuses to change what cannot change", async () => {
      const { stream, subject } = await kit.setUp();
      const changed = kit.bus.ensureStream({
        name: stream,
        subjects: [subject],
        retention: "limits",
        discard: "new",
        maxBytes: 1024,
      });
      await expect(changed).rejects.toBeInstanceOf(StagecraftError);
    });

    it("refuses names that would not be one subject token", () => {
      for (const deployment of ["", "a.b", "a b", "a*", "ä", ">"]) {
        expect(() => deploymentTopology(deployment)).toThrow("[invalid_argument]");
      }
    });
  });
}
