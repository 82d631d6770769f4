export type { Message, Role } from "@stagecraft/tokenizer";
export { openItemBatches } from "./batches/item-batches.js";
export { openPretrainBatches, type PretrainBatchOptions } from "./batches/pretrain-batches.js";
export type { Overlong } from "./batches/demonstrations.js";
export {
  openSftBatches,
  type SftBatchOptions,
  type SftBatchSource,
} from "./batches/sft-batches.js";
export {
  prepareCorpus,
  type CorpusProgress,
  type PrepareCorpusOptions,
} from "./corpus/prepare-corpus.js";
export type { CorpusSplit, PreparedCorpus } from "./corpus/prepared-corpus.js";
export { RecordProblem } from "./bad-records.js";
export { columnsOf } from "./columns.js";
export { holdOut, promptKey, shareProblem, type SplitSizes } from "./hold-out.js";
export { stemOf } from "./formats/files/table.js";
export { has, objectOf, stringField, stringList, type Fields } from "./formats/records/fields.js";
export { recordFormatNames } from "./formats/records/table.js";
export type { RecordKinds } from "./formats/records/record-format.js";
export {
  checkFile,
  type CheckedKind,
  type CheckOptions,
  type FileReport,
  type KindReport,
} from "./check/check-file.js";
export { readConversations } from "./conversations.js";
export {
  corpusSource,
  readDocuments,
  readTexts,
  type CorpusReading,
  type CorpusSource,
  type DocumentPart,
  type ReadDocumentsOptions,
} from "./documents.js";
export { lastWords, rankedMatter } from "./last-words.js";
export { listFiles } from "./list-files.js";
export { nameRecord, namingRecord, type Origin } from "./origin.js";
export { readPrompts } from "./prompts.js";
export { listRecordFiles, readParsed } from "./read-records.js";
export { MAX_ANSWERS } from "./formats/records/ranking.js";
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
export { writeRecords, WRITTEN_FORMATS, type WrittenFormat } from "./write/write-records.js";
export { openJsonlAppender, writeJsonl, type JsonlAppender } from "./write/write-jsonl.js";
