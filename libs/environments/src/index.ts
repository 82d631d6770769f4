export type { Environment } from "./environment.js";
export { environmentOf } from "./environments.js";
