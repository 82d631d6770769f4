import { trainer } from "@stagecraft/contracts";
import type { RegisteredVersion } from "@stagecraft/registry";
import { describe, expect, it } from "vitest";
import { checkPublishModel, createPublisher, type PublisherOptions } from "./publish-current.js";

const { RunState } = trainer;

/** A registry whose version in use is set here, and a trainer that publishes whatever it is asked for. */
function world({ onPublish = () => undefined as void, states = [RunState.SUCCEEDED] } = {}) {
  const published: string[] = [];
  const inUse = { version: 1 };
  const client = {
    createRun: ({ config }: { config: { model: string } }) => {
      published.push(config.model);
      onPublish();
      return Promise.resolve();
    },
    getRun: () =>
      Promise.resolve({ run: { state: states.length > 1 ? states.shift() : states[0] } }),
    cancelRun: () => Promise.resolve(),
  } as unknown as PublisherOptions["client"];
  const registry = {
    current: (name: string) =>
      Promise.resolve({ name, ...inUse, path: `/models/${inUse.version}` } as RegisteredVersion),
  };
  return {
    publish: createPublisher("assistant", { client, registry, everyMs: 1 }),
    published,
    inUse,
  };
}

describe("createPublisher()", () => {
  it("of two promotions at once, the policies end with the version that is in use, not with the slower request's", async () => {
    const { publish, published, inUse } = world({
      states: [RunState.PENDING, RunState.SUCCEEDED],
    });
    inUse.version = 3;
    const first = publish();
    inUse.version = 4;
    await Promise.all([first, publish()]);
    expect(published.at(-1)).toBe("/models/4");
    expect(published).not.toContain("/models/3");
  });

  it("publishes again what another gateway has put to use meanwhile", async () => {
    const others = [5];
    const { publish, published, inUse } = world({
      onPublish: () => void (inUse.version = others.shift() ?? inUse.version),
    });
    await publish();
    expect(published).toEqual(["/models/1", "/models/5"]);
  });

  it("goes on with the next after one that failed", async () => {
    const { publish, published } = world({ states: [RunState.FAILED, RunState.SUCCEEDED] });
    const failed = publish();
    await expect(failed).rejects.toMatchObject({ code: "failed_precondition" });
    await publish();
    expect(published).toHaveLength(2);
  });
});

describe("checkPublishModel()", () => {
  const config = { publishModel: "assistant", registry: "nats://models", trainerAddress: "t:1" };

  it("refuses a model to publish without a registry, which nothing was said of before", () => {
    expect(() => checkPublishModel({ ...config, registry: "" })).toThrow(
      "publishModel assistant needs registry",
    );
    expect(() => checkPublishModel({ ...config, trainerAddress: "" })).toThrow("trainerAddress");
  });

  it("takes both, and none of the three", () => {
    checkPublishModel(config);
    checkPublishModel({ publishModel: "", registry: "", trainerAddress: "" });
  });
});
