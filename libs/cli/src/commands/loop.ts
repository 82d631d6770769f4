import type { Command } from "commander";
import { clusterLayout, connectControl, defaultClusterDir } from "@stagecraft/cluster";
import {
  clusterPlace,
  createLoopStage,
  loopOnCluster,
  rollbackStage,
  type LoopTarget,
} from "@stagecraft/pipeline";
import type { CommandScope } from "../app/command.js";
import { worldRanker } from "../demo/world-ranker.js";
import { wholeFrom } from "./cluster-flags.js";
import { stageCommand } from "./stage-command.js";

interface LoopFlags {
  cluster?: string | true;
  rollback?: number;
}

const rankers = [worldRanker];

/** `stagecraft loop`: in this process or on a running cluster; the demo's labelers may rank, too. */
export function loopCommand(command: Command, scope: CommandScope): void {
  command
    .option(
      "--cluster [dir]",
      `run on a cluster that is up, and leave its policies serving what was made (default: ${defaultClusterDir()})`,
    )
    .option(
      "--rollback <round>",
      "make the models of this finished round the current ones instead; 0 = those at the beginning",
      wholeFrom(0),
    );
  stageCommand(createLoopStage({ rankers }), async (stage) => {
    const { cluster, rollback } = command.opts<LoopFlags>();
    const target = cluster === undefined ? undefined : await targetOf(cluster);
    if (rollback !== undefined) return rollbackStage(rollback, target && clusterPlace(target));
    return target ? loopOnCluster(target, { rankers }) : stage;
  })(command, scope);
}

async function targetOf(cluster: string | true): Promise<LoopTarget> {
  const layout = clusterLayout(cluster === true ? defaultClusterDir() : cluster);
  const control = connectControl(layout);
  return { layout, control, status: await control.status() };
}
