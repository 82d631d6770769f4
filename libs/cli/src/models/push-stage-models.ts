import { UsageError } from "@stagecraft/config";
import { openModelStore, parseModelUrl, pushResult } from "@stagecraft/model-store";
import type { StageRecord } from "@stagecraft/pipeline";
import type { StageContext } from "@stagecraft/runs";
import { storeVariables } from "./model-argument.js";

/** Refuses what could not be pushed to, before hours of work: no name of a store, no keys for it. */
export async function checkPushBase(base: string | undefined): Promise<void> {
  if (base === undefined) return;
  await UsageError.wrap(async () => {
    const url = parseModelUrl(`${base.replace(/\/$/, "")}/stage`);
    await using _store = await openModelStore(url, await storeVariables());
  });
}

/**
 * What `--push-models` asks for: the models of all stages, to `BASE/STAGE`; their URLs by stage. What is there
 * already is not sent again, so the same command does what could not be done. Throws what went wrong.
 */
export async function pushStageModels(
  records: ReadonlyMap<string, StageRecord>,
  base: string | undefined,
  { reporter, signal }: Pick<StageContext, "reporter" | "signal">,
): Promise<Record<string, string>> {
  const pushed: Record<string, string> = {};
  if (base === undefined) return pushed;
  const settings = await storeVariables();
  for (const [id, { result }] of records) {
    if (result.modelDir === undefined) continue;
    const info = (text: string) => reporter.info(`${id}: ${text}`);
    pushed[id] = await pushResult(result.modelDir, { base, name: id }, { settings, signal, info });
  }
  return pushed;
}
