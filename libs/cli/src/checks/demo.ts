import type { LearningCheck } from "./learning-check.js";

/** The demo in its default size, from scratch, held against what it has to show. */
export const demoCheck: LearningCheck = {
  name: "demo",
  summary:
    "the demo's assistant learns: SFT over base, reward model near its ceiling, PPO over SFT",
  async run({ seed, runDir, signal, reporter }) {
    const { runDemo } = await import("../demo/run-demo.js");
    const options = { preset: "default" as const, seed, out: runDir, fresh: true };
    const { claims, stages } = await runDemo(options, { signal, reporter });
    const figures = { ...stages.get("judge")?.result.metrics };
    for (const [id, { durationMs }] of stages) figures[`${id}Seconds`] = durationMs / 1000;
    return { figures, bars: claims };
  },
};
