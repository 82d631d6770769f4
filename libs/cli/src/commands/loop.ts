import { createLoopStage } from "@stagecraft/pipeline";
import { worldRanker } from "../demo/world-ranker.js";
import { stageCommand } from "./stage-command.js";

/** `stagecraft loop`; the demo's raters may rank, too. */
export const loopCommand = stageCommand(createLoopStage({ rankers: [worldRanker] }));
