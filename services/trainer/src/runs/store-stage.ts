import {
  isModelUrl,
  localModel,
  pushResult,
  versionsUsed,
  type LocalModelOptions,
  type StoreSettings,
} from "@stagecraft/model-store";
import { StagecraftError } from "@stagecraft/core";
import { readRunRecord, type StageReporter } from "@stagecraft/runs";
import { mapPaths, pathsOf } from "./stage-paths.js";
import type { TrainerStage } from "./trainer-stage.js";

export interface StoreStageOptions {
  settings: StoreSettings;
  /** Where finished models go, each under its run's id; empty: nowhere. */
  pushModels: string;
  /** Default: by the settings. */
  open?: LocalModelOptions["open"];
}

/**
 * The stage, with models that its configuration names in an object store brought here first, and its own
 * finished model pushed there. A run that goes on keeps the versions that it began with. A push that fails takes nothing from the run: its model is in its folder, and
 * the run says so.
 */
export function storeStage(stage: TrainerStage, options: StoreStageOptions): TrainerStage {
  return {
    ...stage,
    async run(config, context) {
      const { signal, reporter, runId, runDir, resume, overwrite } = context;
      const before = resume && !overwrite ? (await readRunRecord(runDir))?.config : undefined;
      const earlier = versionsUsed(config as object, before);
      const local = await withLocalModels(config as object, options, { signal, reporter, earlier });
      const result = await stage.run(local, context);
      if (options.pushModels === "" || result.modelDir === undefined) return result;
      const to = { base: options.pushModels, name: runId };
      const info = (text: string) => reporter.info(text);
      try {
        const pushed = await pushResult(result.modelDir, to, { ...options, info });
        return { ...result, outputs: { ...result.outputs, pushed } };
      } catch (thrown) {
        reporter.warn(StagecraftError.from(thrown).reason);
        return result;
      }
    },
  };
}

interface LoadOptions extends Pick<LocalModelOptions, "signal" | "earlier"> {
  reporter: StageReporter;
}

async function withLocalModels(
  config: object,
  { settings, open }: StoreStageOptions,
  { signal, reporter, earlier }: LoadOptions,
): Promise<object> {
  const urls = new Set(
    pathsOf(config)
      .map(({ path }) => path)
      .filter(isModelUrl),
  );
  if (urls.size === 0) return config;
  const dirs = new Map<string, string>();
  const how = {
    settings,
    signal,
    earlier,
    info: (text: string) => reporter.info(text),
    ...(open && { open }),
  };
  for (const url of urls) dirs.set(url, await localModel(url, how));
  return mapPaths(config, (path) => dirs.get(path) ?? path);
}
