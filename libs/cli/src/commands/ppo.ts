import type { Command } from "commander";
import type { CommandScope } from "../app/command.js";
import { clusterLayout, connectControl, defaultClusterDir } from "@stagecraft/cluster";
import { ppoOnCluster, ppoOverServices } from "@stagecraft/pipeline";
import { stageCommand } from "./stage-command.js";

/** `stagecraft ppo`: in this process, or on a running cluster with --cluster. */
export function ppoCommand(command: Command, scope: CommandScope): void {
  command.option(
    "--cluster [dir]",
    `run on a cluster that is up; its models are the default (default: ${defaultClusterDir()})`,
  );
  stageCommand(ppoOverServices, async (stage) => {
    const { cluster } = command.opts<{ cluster?: string | true }>();
    if (cluster === undefined) return stage;
    const layout = clusterLayout(cluster === true ? defaultClusterDir() : cluster);
    return ppoOnCluster(layout, await connectControl(layout).status());
  })(command, scope);
}
