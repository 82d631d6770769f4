import type { Command } from "commander";
import type { CommandScope } from "../app/command.js";
import { connectControl } from "../cluster/control/client.js";
import { clusterLayout, defaultClusterDir } from "../cluster/layout.js";
import { ppoOnCluster } from "../cluster/ppo-on-cluster.js";
import { ppoOverServices } from "../stages/ppo-stage.js";
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
