export { ENGINES } from "./engines.js";
export { choice, decimal, flag, text, texts, whole } from "./fields.js";
