import { evaluateStage } from "@stagecraft/eval";
import { collectStage, dpoStage, pretrainStage, rewardStage, sftStage } from "@stagecraft/learn";
import { toTrainerStage, type TrainerStage } from "./trainer-stage.js";

/** The stages that need no other service. */
export function plainStages(): TrainerStage[] {
  return [
    toTrainerStage(pretrainStage),
    toTrainerStage(sftStage),
    toTrainerStage(collectStage),
    toTrainerStage(rewardStage),
    toTrainerStage(dpoStage),
    toTrainerStage(evaluateStage),
  ];
}
