import { readLineage, type ModelRegistry, type RegisteredVersion } from "@stagecraft/registry";
import type { RegistryView, VersionLineage, VersionView } from "../http/api/index.js";

/** A registry whose versions the pages show and choose. */
export interface RegistryDesk {
  registry: ModelRegistry;
  /** Names whose version in use answers here. */
  served: readonly string[];
  /** Another version is in use now: it answers when this resolves. */
  onChange(name: string): Promise<void>;
}

/** Everything that the registry knows, for the Models page. */
export async function registryView({ registry, served }: RegistryDesk): Promise<RegistryView> {
  const models = (await registry.names()).map(async (name) => ({
    name,
    versions: await Promise.all((await registry.versions(name)).reverse().map(versionView)),
    promotions: (await registry.promotions(name)).reverse(),
  }));
  return { models: await Promise.all(models), served: [...served] };
}

async function versionView(version: RegisteredVersion): Promise<VersionView> {
  const { path, sha256 } = version;
  const found = await readLineage(path, sha256);
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
}: NonNullable<Awaited<ReturnType<typeof readLineage>>["lineage"]>): VersionLineage {
  return {
    ...{ parents, data, config, versions, commit },
    ...{ startedAt: times.startedAt, finishedAt: times.finishedAt },
    ancestors: ancestors.map(({ stage, sha256 }) => ({ stage, sha256 })),
  };
}
