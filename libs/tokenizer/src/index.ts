export {
  readRendered,
  renderChat,
  renderScored,
  scoredPart,
  type RenderChatOptions,
  type RenderedChat,
} from "./chat.js";
export { rowsNeeded } from "./rows-needed.js";
export { startOfText } from "./start-of-text.js";
export { loadTokenizer, saveTokenizer, tokenizerFromFiles } from "./load-tokenizer.js";
export { parsedTokenizerJson } from "./parsed-json.js";
export { namedTokenId } from "./named-specials.js";
export { templateSourceOf } from "./template/template-source.js";
export { lastSafeCut } from "./text-pieces.js";
export { NAMED_TEMPLATES } from "./template/named-templates.js";
export {
  chatTemplateFile,
  loadChatTokenizer,
  type ChosenTemplate,
} from "./template/chosen-template.js";
export { utf8CharLength } from "./utf8.js";
export type {
  DecodeOptions,
  Message,
  Role,
  SpecialIds,
  StreamDecoder,
  Tokenizer,
} from "./tokenizer.js";
export {
  trainBpe,
  type TrainBpeOptions,
  type TrainOptions,
  type TrainProgress,
} from "./train-bpe.js";
export { trainCharTokenizer, type TrainCharOptions } from "./train-char-tokenizer.js";
export { checkTextBytes } from "./text-limit.js";
