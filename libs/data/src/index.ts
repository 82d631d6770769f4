export type { Message, Role } from "@stagecraft/tokenizer";
export { readConversations } from "./conversations.js";
export {
  readDocuments,
  readTexts,
  type CorpusSource,
  type DocumentPart,
  type ReadDocumentsOptions,
} from "./documents.js";
export { readJsonl, readLines, type Line } from "./jsonl.js";
export { listFiles } from "./list-files.js";
export { readPrompts } from "./prompts.js";
export { readRankings, validateRanking, writeRankings } from "./rankings.js";
export type {
  BadRecord,
  BatchSource,
  Conversation,
  PromptRecord,
  Ranking,
  RecordOptions,
  TokenBatch,
} from "./types.js";
export { openJsonlAppender, writeJsonl, type JsonlAppender } from "./write-jsonl.js";
