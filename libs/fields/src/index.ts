export { choice, decimal, flag, text, texts, whole } from "./fields.js";
