/** One namespace per proto package, then what checks decoded messages. */
export * as common from "./gen/stagecraft/common/v1/common.js";
export * as events from "./gen/stagecraft/events/v1/events.js";
export * as feedback from "./gen/stagecraft/feedback/v1/feedback.js";
export * as health from "./gen/grpc/health/v1/health.js";
export * as policy from "./gen/stagecraft/policy/v1/policy.js";
export * as reward from "./gen/stagecraft/reward/v1/reward.js";
export * as rollout from "./gen/stagecraft/rollout/v1/rollout.js";
export * as trainer from "./gen/stagecraft/trainer/v1/trainer.js";

export {
  accessOf,
  accessTable,
  METHOD_ACCESS,
  ROLES,
  type MethodAccess,
  type Role,
} from "./access.js";
export { decodeMessage, type MessageCodec } from "./decode.js";
export { fileDescriptorSet } from "./descriptor-set.js";
export { checkSafeInteger, invalidField } from "./validate/check.js";
export {
  parseConversation,
  parseSampling,
  parseTokens,
  parseWeightVersion,
  toConversation,
  toSampling,
  toTokens,
  type ChatMessage,
  type ParsedSampling,
  type ParsedWeights,
  type SamplingInput,
  type TokenLimits,
} from "./validate/common.js";
export {
  finishReasonName,
  finishReasonOf,
  type FinishReasonName,
} from "./validate/finish-reason.js";
export {
  parseGeneration,
  parseGenerationInput,
  parseScoreLogProbsRequest,
  toModelDefaults,
  type ModelDefaultField,
  type ParsedGeneration,
  type ParsedGenerationInput,
  type ParsedScoreLogProbs,
} from "./validate/policy.js";
export {
  parseScore,
  parseScoreInput,
  type ParsedScore,
  type ParsedScoreInput,
} from "./validate/reward.js";
export {
  parsePromptTask,
  parseRollout,
  parseTaskFailure,
  parseWeightsPublished,
  type ParsedPromptTask,
  type ParsedRollout,
  type ParsedSegment,
  type ParsedTaskFailure,
  type ParsedWeightsPublished,
} from "./validate/events.js";
export { parseRunDirName, parseRunId } from "./validate/trainer.js";
export { parseDemonstration, parseFlag, parseRanking } from "./validate/feedback.js";
