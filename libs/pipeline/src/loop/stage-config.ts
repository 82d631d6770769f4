import { loadConfig, schemaOf } from "@stagecraft/config";
import type { StageDefinition } from "@stagecraft/runs";

/** The configuration of a stage: its file, if any, under what the loop sets itself. */
export async function stageConfig<C>(
  stage: Pick<StageDefinition<C>, "schema">,
  file: string | undefined,
  own: Record<string, unknown>,
): Promise<C> {
  const path = file === undefined || file === "" ? undefined : file;
  return (await loadConfig(schemaOf(stage), { file: path, flags: own })).config as C;
}
