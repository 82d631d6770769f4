import type { Lineage, ModelRegistry, RegisteredVersion } from "@stagecraft/registry";
import type { RegistryView, VersionLineage, VersionView } from "../http/api/index.js";

/** A registry whose versions the pages show and choose. */
export interface RegistryDesk {
  registry: ModelRegistry;
  /** Names whose version in use answers here. */
  served: readonly string[];
  /** This version is in use now: it answers when this resolves. */
  onChange(version: RegisteredVersion): Promise<void>;
}

/** Everything that the registry knows, for the Models page. */
export async function registryView({ registry, served }: RegistryDesk): Promise<RegistryView> {
  const models = (await registry.models()).map(async ({ name, versions, promotions }) => ({
    name,
    versions: await Promise.all(versions.reverse().map((each) => versionView(registry, each))),
    promotions: promotions.reverse(),
  }));
  return { models: await Promise.all(models), served: [...served] };
}

async function versionView(
  registry: ModelRegistry,
  version: RegisteredVersion,
): Promise<VersionView> {
  const { path, sha256 } = version;
  const found = await registry.lineage(version);
  return {
    ...{ version: version.version, path, sha256, sizeBytes: version.sizeBytes },
    ...{ stage: version.stage, figures: version.figures, addedAt: version.addedAt },
    ...{ note: version.note, isPromoted: version.isPromoted },
    lineage: found.lineage ? lineageView(found.lineage) : null,
    unknownBecause: found.lineage ? "" : found.reason,
  };
}

function lineageView({
  parents,
  data,
  config,
  versions,
  commit,
  times,
  ancestors,
}: Lineage): VersionLineage {
  return {
    ...{ parents, data, config, versions, commit },
    ...{ startedAt: times.startedAt, finishedAt: times.finishedAt },
    ancestors: ancestors.map(({ stage, sha256 }) => ({ stage, sha256 })),
  };
}
