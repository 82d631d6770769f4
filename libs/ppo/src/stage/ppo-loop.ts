/**
 * The PPO loop of InstructGPT [IG, section 3.5] with the implementation details of [N+], departures:
 * 1. sampling and scoring happen elsewhere (`RolloutSource`, `WeightPublisher`); what comes back is
 *    verified, not trusted;
 * 2. policy and critic are separate networks with separate optimizers [IG, St];
 * 3. prompts, seeds and shuffles are functions of (seed, update), so a checkpoint holds no generator;
 * 4. sampling may run `maxStaleness` updates ahead [AReaL]; 0 is the synchronous loop, bit for bit.
 * An update is atomic: a stop or crash inside it repeats it from the last committed state.
 * Steps, evaluations, checkpoints and stopping are those of every stage: `resumableLoop`.
 */
import type { Checkpoint } from "@stagecraft/checkpoint";
import { throwIfAborted, type JsonObject } from "@stagecraft/core";
import {
  resumableLoop,
  type LoopScope,
  type ResumableTask,
  type Run,
  type StageContext,
} from "@stagecraft/runs";
import { withHeadsOnly, type Model } from "@stagecraft/model";
import { releaseIdleMemory } from "@stagecraft/tensor";
import { estimateAdvantages, type Estimates, type Experience } from "../batch/experience.js";
import { createKlController, type KlController } from "../math/kl-controller.js";
import {
  checkAlarms,
  initialAlarmState,
  staleWeightsAlarm,
  type Alarm,
  type AlarmState,
} from "./alarms.js";
import { buildExperience, evaluationFigures, meanExtraScores } from "../update/build-experience.js";
import type { PpoConfig } from "./config.js";
import { createLedger, type Ledger } from "../rollouts/ledger.js";
import { inWordsOfTheLoop, loadTrainees, traineesToTensors } from "./loop-checkpoint.js";
import {
  advantageOptions,
  experienceOptions,
  klConfig,
  optimizeOptions,
  updateLearningRate,
} from "./loop-options.js";
import { optimize } from "../update/optimize.js";
import type { Trainees } from "../update/trainees.js";
import type {
  PromptTask,
  RolloutCheck,
  RolloutSample,
  Samplers,
} from "../rollouts/rollout-source.js";
import {
  createTaskSource,
  evaluationTasks,
  type PreparedPrompt,
  type TaskSource,
} from "../rollouts/prompt-tasks.js";
import { rolloutProblem, type RolloutRules } from "../rollouts/rollout-rules.js";
import { openSamplingWindow, type SamplingWindow } from "../rollouts/sampling-window.js";
import { rolloutSignals, type UpdateSignals } from "./signals.js";
import { verifyRollouts, WrongWeightsError } from "../rollouts/verify-rollouts.js";
import type { PublishedWeights } from "../rollouts/weight-publisher.js";
import { versionOfStep, weightProblem } from "../rollouts/weight-rules.js";

export interface PpoLoopParts extends Samplers {
  trainees: Trainees;
  /** Frozen; the caller disposes it. */
  reference: Model;
  prompts: readonly PreparedPrompt[];
  evalPrompts: readonly PreparedPrompt[];
  /** Tokens that end an answer; []: answers have a fixed length. */
  endIds: readonly number[];
  /** Ids that an answer may hold are below it; default the policy's. */
  vocabSize?: number;
  /** Scores are multiplied by it before anything else; default 1. */
  scoreScale?: number;
  /** Subtracted from them before that: their mean over the reference answers; default 0. */
  scoreZero?: number;
  /** Where the ptx text stands; part of the checkpoint. */
  ptxSource?: { position(): JsonObject; seek(position: JsonObject): Promise<void> };
  /** Keeps the policy as the best so far. */
  saveBest?(): Promise<void>;
  /** Told every update's experience, e.g. to write it down for inspection. The first update is 1. */
  onUpdate?(
    update: number,
    batch: readonly Experience[],
    learnt: { estimates: Estimates; klCoef: number },
  ): Promise<void>;
}

export interface PpoLoopResult {
  signals: UpdateSignals | undefined;
  evaluation: Record<string, number>;
  best: { step: number; value: number } | null;
}

/** What a checkpoint holds beside weights, optimizers and the loop's own state. */
interface PpoProgress {
  numEpisodes: number;
  numTokens: number;
  signals: UpdateSignals | null;
  alarms: AlarmState;
  /** The weights of the last updates, as many as a token in flight may be of. */
  published: PublishedWeights[];
}

/** Runs PPO until `config.updates`, resuming from the run's latest checkpoint when it has one. */
export async function ppoLoop(
  parts: PpoLoopParts,
  config: PpoConfig,
  scope: { run: Run; context: StageContext },
): Promise<PpoLoopResult> {
  const ppo = new Ppo(parts, config, scope.context);
  try {
    const { evaluation, best } = await resumableLoop(
      ppo,
      { ...config, steps: config.updates },
      scope,
    );
    return { signals: ppo.progress.signals ?? undefined, evaluation, best };
  } finally {
    ppo.close();
  }
}

/** Answers of an update, verified, and how long they took. */
interface Collected {
  samples: readonly RolloutSample[];
  collectMs: number;
  startedMs: number;
}

/** An update that has been learnt from and not yet told. */
interface Learnt {
  signals: UpdateSignals;
  extraScores: Record<string, number>;
  timing: { collectMs: number; trainMs: number };
}

class Ppo implements ResumableTask<PpoProgress> {
  readonly stage = "ppo";
  readonly unit = "update";
  readonly best = {
    metric: "evalScore",
    goal: "max" as const,
    save: async () => this.parts.saveBest?.(),
  };
  readonly evaluate?: (loop: LoopScope) => Promise<Record<string, number>>;
  progress: PpoProgress = {
    numEpisodes: 0,
    numTokens: 0,
    signals: null,
    alarms: initialAlarmState(),
    published: [],
  };
  private readonly source: TaskSource;
  private klControl: KlController;
  private ledger: Ledger = createLedger();
  /** The update whose weights the samplers have. */
  private publishedUpdate = -1;
  private window: SamplingWindow | undefined;
  private collected: Collected | undefined;
  private learnt: Learnt | undefined;
  private unacknowledged: string[] = [];

  constructor(
    private readonly parts: PpoLoopParts,
    private readonly config: PpoConfig,
    private readonly context: StageContext,
  ) {
    this.source = createTaskSource(parts.prompts, config);
    this.klControl = createKlController(klConfig(config));
    if (parts.evalPrompts.length > 0) this.evaluate = (loop) => this.evaluated(loop);
  }

  close(): void {
    this.window?.close();
  }

  counters(): JsonObject {
    return { numEpisodes: this.progress.numEpisodes };
  }

  tensors() {
    return traineesToTensors(this.parts.trainees);
  }

  position(): JsonObject {
    return {
      kl: this.klControl.state(),
      ledger: this.ledger.state(),
      ptx: this.parts.ptxSource?.position() ?? null,
    };
  }

  modernized(loop: JsonObject): JsonObject {
    return inWordsOfTheLoop(loop);
  }

  async restore({ tensors, state }: Checkpoint): Promise<void> {
    loadTrainees(this.parts.trainees, tensors);
    this.klControl = createKlController(klConfig(this.config), state["kl"] as { klCoef: number });
    this.ledger = createLedger(state["ledger"] as string[][]);
    if (state["ptx"]) await this.parts.ptxSource?.seek(state["ptx"] as JsonObject);
  }

  /** Acknowledged only now: what a crash forgets is delivered again, and the ledger counts it once. */
  async saved(): Promise<void> {
    const ids = this.unacknowledged.splice(0);
    if (ids.length > 0) await this.parts.rollouts.acknowledge?.(ids);
  }

  /** Publishes, has answers sampled, and verifies them. */
  async prepare(loop: LoopScope): Promise<void> {
    const { step: update } = loop.state;
    const startedMs = performance.now();
    await this.publish(loop);
    const window = (this.window ??= this.openWindow(update));
    window.fill(update);
    const { tasks, samples: arrived } = await loop.phase("wait", () => window.next(update));
    const samples = this.verify(tasks, arrived, loop);
    throwIfAborted(this.context.signal);
    this.collected = { samples, collectMs: performance.now() - startedMs, startedMs };
  }

  async step(loop: LoopScope): Promise<void> {
    const { samples } = this.collected!;
    const rolloutIds = samples.map(({ rolloutId }) => rolloutId);
    await loop.phase("update", () => this.learn(this.collected!, loop.state.step), rolloutIds);
    this.ledger.add(rolloutIds);
    this.unacknowledged.push(...rolloutIds);
    this.progress.numEpisodes += samples.length;
  }

  private openWindow(update: number): SamplingWindow {
    const { config, parts, source, context } = this;
    const options = {
      rollouts: parts.rollouts,
      source,
      versionOfStep: (step: number) => versionOfStep(this.progress.published, step),
      maxStaleness: config.maxStaleness,
      batchSize: config.promptsPerUpdate * config.samplesPerPrompt,
      updates: config.updates,
      problemOf: this.problemOf,
      signal: context.signal,
    };
    return openSamplingWindow(options, update);
  }

  private async learn({ samples, collectMs, startedMs }: Collected, update: number): Promise<void> {
    const { config, parts } = this;
    const batch = buildExperience(samples, this.models(), this.experienceOptions(update));
    const klCoef = this.klControl.coef();
    const estimates = estimateAdvantages(batch, advantageOptions(config, klCoef));
    const rollouts = rolloutSignals(batch, estimates, klCoef);
    const optimized = await optimize(parts.trainees, batch, {
      estimates,
      options: optimizeOptions(config, { update, klCoef }),
    });
    this.klControl.update(rollouts.kl, batch.length);
    const learningRate = updateLearningRate(config, update, config.learningRate);
    const signals = { ...rollouts, ...optimized, learningRate };
    await parts.onUpdate?.(update + 1, batch, { estimates, klCoef });
    this.progress.numTokens += signals.numTokens;
    this.progress.signals = signals;
    const trainMs = performance.now() - startedMs - collectMs;
    this.learnt = {
      signals,
      extraScores: meanExtraScores(samples),
      timing: { collectMs, trainMs },
    };
  }

  /** Asked of every answer that arrives; see `rolloutProblem`. */
  private readonly problemOf: RolloutCheck = (sample, task) =>
    rolloutProblem(sample, task, this.rules()) ??
    weightProblem(sample, task, this.progress.published);

  private rules(): RolloutRules {
    const { vocabSize = this.parts.trainees.policy.config.vocabSize } = this.parts;
    const { scores, endIds } = this.experienceOptions(0); // of every update
    return { vocabSize, maxScore: this.config.maxScore, scores, endIds };
  }

  private verify(
    tasks: readonly PromptTask[],
    samples: readonly RolloutSample[],
    loop: LoopScope,
  ): RolloutSample[] {
    try {
      return verifyRollouts(tasks, samples, {
        published: this.progress.published,
        ...this.rules(),
        isConsumed: (rolloutId) => this.ledger.has(rolloutId),
      });
    } catch (thrown) {
      if (thrown instanceof WrongWeightsError) {
        this.sound(staleWeightsAlarm(thrown.reason), loop, loop.state.step + 1);
      }
      throw thrown;
    }
  }

  /** Gives the samplers the weights of this update, once. */
  private async publish(loop: LoopScope): Promise<void> {
    const { step } = loop.state;
    if (this.publishedUpdate === step) return;
    const { progress, parts, config } = this;
    releaseIdleMemory(); // samplers in this process are next
    const tensors = withHeadsOnly(parts.trainees.policy, ["lm"]).tensors();
    await loop.phase("publish", async () => {
      const { version, sha256, announce } = await parts.weights.store(tensors, step);
      // Known before a sampler hears of them: an answer may come at once.
      const others = progress.published.filter((weights) => weights.step !== step);
      progress.published = [...others, { version, sha256, step }].slice(-1 - config.maxStaleness);
      await announce();
    });
    this.publishedUpdate = step;
  }

  private models() {
    const { trainees, reference } = this.parts;
    const { policy, critic } = trainees;
    return { policy, reference, ...(critic ? { critic } : {}) };
  }

  private experienceOptions(update: number) {
    const { endIds, scoreScale, scoreZero } = this.parts;
    const scores = { scoreScale, scoreZero };
    const { published } = this.progress;
    return experienceOptions(this.config, { endIds, ...scores, update, published });
  }

  stepped(loop: LoopScope): void {
    const { signals, extraScores, timing } = this.learnt!;
    const { collectMs, trainMs } = timing;
    const tokensPerSecond = (1000 * signals.numTokens) / (collectMs + trainMs);
    loop.write({
      kind: "update",
      ...{ ...signals, ...extraScores, tokensPerSecond },
      ...{ collectMs: Math.round(collectMs), trainMs: Math.round(trainMs) },
    });
    this.context.reporter.progress({
      stage: "ppo",
      done: loop.state.step,
      total: this.config.updates,
      unit: "steps",
      tokensPerSecond,
      note: `score ${signals.score.toFixed(3)}, KL ${signals.kl.toFixed(2)}`,
    });
    this.alarm(signals, extraScores["score_gold"], loop);
  }

  private alarm(signals: UpdateSignals, gold: number | undefined, loop: LoopScope): void {
    const { maxStaleness } = this.config;
    const canEnd = this.parts.endIds.length > 0;
    const context = { gold, maxStaleness, canEnd };
    const { alarms, state } = checkAlarms(signals, this.progress.alarms, context);
    this.progress.alarms = state;
    for (const alarm of alarms) this.sound(alarm, loop);
  }

  /** Updates count from 1 for people: the number of the one that it concerns. */
  private sound(alarm: Alarm, loop: LoopScope, update = loop.state.step): void {
    const { message, meaning, advice } = alarm;
    loop.write({ kind: "alarm", ...alarm });
    this.context.reporter.warn(
      `update ${update}: ${message}. It means: ${meaning}. What to try: ${advice}`,
    );
  }

  private async evaluated(loop: LoopScope): Promise<Record<string, number>> {
    const { progress, config, parts } = this;
    const { step: update } = loop.state;
    await this.publish(loop);
    const tasks = evaluationTasks(
      parts.evalPrompts,
      { ...config, temperature: config.evalTemperature },
      { update, minWeightVersion: versionOfStep(progress.published, update) },
    );
    return loop.phase("evaluate", async () => {
      const samples = await this.collectEvaluation(tasks, loop);
      return evaluationFigures(samples, this.models(), this.experienceOptions(update));
    });
  }

  /** Answers of the newest weights, whatever the staleness that training allows. */
  private async collectEvaluation(tasks: PromptTask[], loop: LoopScope): Promise<RolloutSample[]> {
    const samples = await this.parts.rollouts.collect(tasks, this.context.signal, this.problemOf);
    throwIfAborted(this.context.signal);
    const verified = this.verify(tasks, samples, loop);
    await this.parts.rollouts.acknowledge?.(verified.map(({ rolloutId }) => rolloutId));
    return verified;
  }
}
