import { isModelUrl, newestVersion, parseModelUrl, versionsUsed } from "@stagecraft/model-store";
import type { StageContext, StageDefinition } from "@stagecraft/runs";
import { modelArgument, storeVariables } from "./model-argument.js";
import { pathIn, pathsOf, withPaths } from "./named-paths.js";

/**
 * The stage, with models that its configuration names in an object store brought here when it runs. A run that
 * goes on keeps the versions that it began with, and the stages of a pipeline take those of the ones before.
 */
export function withModelUrls<C>(stage: StageDefinition<C>): StageDefinition<C> {
  const { inputs, problems, outputs } = stage;
  return {
    ...stage,
    ...(inputs && {
      inputs: (config: C) => inputs(config).filter(({ path }) => urlIn(path) === undefined),
    }),
    ...(problems && { problems: (config, ahead) => problems(config, unseen(ahead)) }),
    ...(outputs && { outputs: (config, ahead) => outputs(config, unseen(ahead)) }),
    remote: {
      newest: (config, signal) =>
        versionsOf(config, async (url) =>
          newestVersion(url, { settings: await storeVariables(), signal }),
        ),
      async used(config, runDir) {
        const { readRunRecord } = await import("@stagecraft/runs"); // not for --help
        const record = await readRunRecord(runDir);
        return Object.fromEntries(versionsUsed(config as object, record?.config));
      },
    },
    async run(config, context) {
      const dirs = new Map<string, string>();
      const { signal, reporter } = context;
      const urls = urlsOf(config);
      const before = urls.length === 0 ? undefined : await earlierConfig(context);
      const own = versionsUsed(config as object, before);
      const earlier = new Map([...Object.entries(context.named ?? {}), ...own]);
      const how = { signal, earlier, info: (text: string) => reporter.info(text) };
      for (const url of urls) dirs.set(url, await modelArgument(url, how));
      return stage.run(dirs.size === 0 ? config : withPaths(config, dirs), context);
    },
  };
}

type Ahead<C> = Parameters<NonNullable<StageDefinition<C>["problems"]>>[1];

/** Of a model that is not here yet nothing can be said but that it will be: the stage itself looks again. */
function unseen<C>(ahead: Ahead<C>): Ahead<C> {
  return { of: (path) => (urlIn(path) === undefined ? ahead.of(path) : {}) };
}

/** Of the run that is gone on with. */
async function earlierConfig({ runDir, resume, overwrite }: StageContext) {
  if (!resume || overwrite === true) return undefined;
  const { readRunRecord } = await import("@stagecraft/runs"); // not for --help
  return (await readRunRecord(runDir))?.config;
}

/** Versions of the models that are named without one. */
async function versionsOf(
  config: unknown,
  look: (url: string) => Promise<string>,
): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const url of urlsOf(config)) {
    if (parseModelUrl(url).version === undefined) found[url] = await look(url);
  }
  return found;
}

function urlIn(path: string): string | undefined {
  const url = pathIn(path);
  return isModelUrl(url) ? url : undefined;
}

const urlsOf = (config: unknown) => pathsOf(config).filter(isModelUrl);
