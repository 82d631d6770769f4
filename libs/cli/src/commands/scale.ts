import { Argument, type Command } from "commander";
import type { CommandScope } from "../app/command.js";
import {
  clusterLayout,
  connectControl,
  outcomeText,
  SCALABLE,
  type ScalableService,
} from "@stagecraft/cluster";
import { addClusterFlags, clusterDirOf, wholeFrom, type ClusterFlags } from "./cluster-flags.js";
import { examplesText } from "./stage-command.js";

const EXAMPLES = ["npx stagecraft scale rollout 16", "npx stagecraft scale policy 3 --name second"];

/** `stagecraft scale SERVICE N`: more or fewer processes while the cluster runs. */
export function scaleCommand(command: Command, { io }: CommandScope): void {
  addClusterFlags(command)
    .addArgument(new Argument("<service>", "which service").choices([...SCALABLE]))
    .addArgument(new Argument("<count>", "processes of it").argParser(wholeFrom(1)))
    .option("--json", "one JSON object")
    .addHelpText("after", examplesText(EXAMPLES))
    .action(
      async (service: ScalableService, count: number, flags: ClusterFlags & { json?: boolean }) => {
        const control = connectControl(clusterLayout(clusterDirOf(flags)));
        const ended = await control.scale(service, count);
        const shrunk = ended.length > 0 ? `; ${outcomeText(ended)}` : "";
        const text = `${service}: ${count} up${shrunk}`;
        io.out.write(`${flags.json ? JSON.stringify({ service, count, ended }) : text}\n`);
      },
    );
}
