export type { Environment, Episode, StepOutcome, Turn } from "./environment.js";
export { environmentOf } from "./environments.js";
