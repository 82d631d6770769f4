import type { Environment } from "./environment.js";

/** The policy reads the prompt and answers once. */
export const oneAnswer: Environment = {
  name: "answer",
  reset: ({ promptIds }) =>
    Promise.resolve({
      observation: promptIds,
      step: () => Promise.resolve({ done: true }),
    }),
};
