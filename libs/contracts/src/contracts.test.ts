import { createRandom } from "@stagecraft/core";
import { describe, expect, it } from "vitest";
import { fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { decodeMessage } from "./decode.js";
import { fileDescriptorSet } from "./descriptor-set.js";
import { FinishReason, Role } from "./gen/stagecraft/common/v1/common.js";
import { PromptTask, Rollout } from "./gen/stagecraft/events/v1/events.js";
import { CreateRunRequest } from "./gen/stagecraft/trainer/v1/trainer.js";
import { parsePromptTask, parseRollout } from "./validate/events.js";
import { exampleRollout, exampleTask } from "../test/examples.js";

describe("encoding", () => {
  it("round-trips a rollout bit for bit", () => {
    const rollout = exampleRollout();
    const decoded = Rollout.decode(Rollout.encode(rollout).finish());
    expect(decoded).toEqual(rollout);
    expect(parseRollout(decoded).segments[1]!.logProbs).toEqual(
      new Float32Array([-0.25, -1.5, -0.125]),
    );
  });

  it("keeps doubles, 64-bit seeds and unset options exact", () => {
    const task = exampleTask();
    task.sampling!.temperature = 0.7;
    task.sampling!.seed = 2n ** 53n - 1n;
    const parsed = parsePromptTask(PromptTask.decode(PromptTask.encode(task).finish()));
    expect(parsed.sampling).toMatchObject({ temperature: 0.7, topP: 1, seed: 2 ** 53 - 1 });
  });

  it("packs log-probs: 1000 floats take 4 bytes each and a short header", () => {
    const logProbs = new Array<number>(1000).fill(-1);
    const size = (message: Rollout) => Rollout.encode(message).finish().length;
    const extra = size({ ...exampleRollout(), logProbs }) - size(exampleRollout());
    expect(extra).toBeLessThan(4 * 997 + 4);
  });

  it("carries nested configs as structs", () => {
    const config = { seed: 3, sources: [{ path: "a.txt", weight: 0.5 }], resume: false, top: null };
    const request = CreateRunRequest.fromPartial({ stage: "pretrain", config });
    expect(CreateRunRequest.decode(CreateRunRequest.encode(request).finish()).config).toEqual(
      config,
    );
  });
});

describe("decodeMessage()", () => {
  const bytes = Rollout.encode(exampleRollout()).finish();

  it("refuses a message that ends inside a field, naming it", () => {
    // Cut inside the last field (traceparent), one to five bytes before the end.
    for (let cut = 1; cut <= 5; cut++) {
      expect(() =>
        decodeMessage(Rollout, bytes.subarray(0, bytes.length - cut), "rollout"),
      ).toThrow(/\[invalid_argument\] rollout/);
    }
  });

  it("lets no cut or flipped bytes through as anything but a checked value or invalid_argument", () => {
    const random = createRandom("garble");
    let refused = 0;
    for (let i = 0; i < 4000; i++) {
      const copy = Uint8Array.from(bytes);
      const numFlips = 1 + random.nextInt(4);
      for (let f = 0; f < numFlips; f++) {
        copy[random.nextInt(copy.length)]! ^= 1 << random.nextInt(8);
      }
      const cut = i % 2 ? copy : copy.subarray(0, random.nextInt(copy.length));
      try {
        const parsed = parseRollout(decodeMessage(Rollout, cut, "rollout"));
        for (const { ids, trained, logProbs } of parsed.segments) {
          expect(logProbs.length).toBe(trained ? ids.length : 0);
          expect(logProbs.every(Number.isFinite)).toBe(true);
        }
        expect(Number.isFinite(parsed.score)).toBe(true);
      } catch (error) {
        expect(error).toMatchObject({ code: "invalid_argument" });
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(2000);
  });
});

describe("generated names", () => {
  it("drops the enum prefix and starts at unspecified", () => {
    expect([Role.UNSPECIFIED, Role.USER, FinishReason.EOS]).toEqual([0, 2, 1]);
  });

  it("describes every service for reflection", () => {
    const set = fromBinary(FileDescriptorSetSchema, fileDescriptorSet());
    const services = set.file.flatMap((f) => f.service.map((s) => `${f.package}.${s.name}`));
    expect(services.sort()).toEqual([
      "grpc.health.v1.Health",
      "stagecraft.feedback.v1.FeedbackService",
      "stagecraft.policy.v1.PolicyService",
      "stagecraft.reward.v1.RewardService",
      "stagecraft.rollout.v1.RolloutService",
      "stagecraft.trainer.v1.TrainerService",
    ]);
  });
});
