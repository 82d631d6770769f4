import { StagecraftError } from "@stagecraft/core";
import type { ModelRegistry } from "@stagecraft/registry";
import type { GatewayConfig } from "../config.js";
import { publishToPolicies, type PublishOptions } from "./publish-to-policies.js";

export interface PublisherOptions extends PublishOptions {
  registry: Pick<ModelRegistry, "current">;
}

/** Throws `invalid_argument` for a model to publish without what that takes. */
export function checkPublishModel(
  config: Pick<GatewayConfig, "publishModel" | "registry" | "trainerAddress">,
): void {
  const { publishModel, registry, trainerAddress } = config;
  if (publishModel === "") return;
  const missing = [
    ...(registry === "" ? ["registry (where its version in use is written)"] : []),
    ...(trainerAddress === "" ? ["trainerAddress (the trainer gives policies their weights)"] : []),
  ];
  if (missing.length === 0) return;
  const what = `publishModel ${publishModel} needs ${missing.join(" and ")}`;
  throw new StagecraftError("invalid_argument", what);
}

/**
 * Has the policies serve the version of a name that is in use when its turn comes, one after the other: of two
 * operators who promote at the same time, the one whose request is slower must not leave the other version
 * published. What another gateway puts to use meanwhile is published too.
 */
export function createPublisher(name: string, options: PublisherOptions): () => Promise<void> {
  let last: Promise<void> = Promise.resolve();
  return () => {
    const turn = last.then(() => publishCurrent(name, options));
    last = turn.catch(() => undefined); // told to whoever asked for it
    return turn;
  };
}

async function publishCurrent(
  name: string,
  { registry, ...options }: PublisherOptions,
): Promise<void> {
  let published: number | undefined;
  for (;;) {
    const version = await registry.current(name);
    if (!version) throw new StagecraftError("not_found", `no version of ${name} is in use`);
    if (version.version === published) return;
    await publishToPolicies(version, options);
    published = version.version;
  }
}
