/**
 * The PPO loop of InstructGPT [IG, section 3.5] with the implementation details of [N+], departures:
 * 1. sampling and scoring happen elsewhere (`RolloutSource`, `WeightPublisher`); what comes back is
 *    verified, not trusted;
 * 2. policy and critic are separate networks with separate optimizers [IG, St];
 * 3. prompts, seeds and shuffles are functions of (seed, update), so a checkpoint holds no generator;
 * 4. sampling may run `maxStaleness` updates ahead [AReaL]; 0 is the synchronous loop, bit for bit.
 * An update is atomic: a stop or crash inside it repeats it from the last committed state.
 *
 * Over 400 lines in one piece: what must happen before what (publish, collect, verify, learn, commit,
 * save, acknowledge) is what this file is about, and it shows only when it is read together.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { isCancelled, throwIfAborted, type JsonObject } from "@stagecraft/core";
import { isDue, type Run, type StageContext, type StagePhase } from "@stagecraft/runs";
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
import { loadTrainees, traineesToTensors } from "./loop-checkpoint.js";
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
  best: { update: number; score: number } | null;
}

/** What a checkpoint holds beside weights and optimizers. */
interface LoopState {
  update: number;
  numEpisodes: number;
  numTokens: number;
  evaluatedUpdate: number;
  evaluation: Record<string, number>;
  best: { update: number; score: number } | null;
  /** Held-out score before the first update. */
  startScore?: number;
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
  return new PpoLoop(parts, config, scope.run, scope.context).run();
}

class PpoLoop {
  private readonly source: TaskSource;
  private klControl: KlController;
  private ledger: Ledger = createLedger();
  private savedUpdate = 0;
  private isPublished = false;
  private window: SamplingWindow | undefined;
  private unacknowledged: string[] = [];
  private state: LoopState = {
    update: 0,
    numEpisodes: 0,
    numTokens: 0,
    evaluatedUpdate: -1,
    evaluation: {},
    best: null,
    signals: null,
    alarms: initialAlarmState(),
    published: [],
  };

  constructor(
    private readonly parts: PpoLoopParts,
    private readonly config: PpoConfig,
    private readonly runDirectory: Run,
    private readonly context: StageContext,
  ) {
    this.source = createTaskSource(parts.prompts, config);
    this.klControl = createKlController(klConfig(config));
  }

  async run(): Promise<PpoLoopResult> {
    await this.restore();
    this.window = this.openWindow();
    try {
      for (;;) {
        throwIfAborted(this.context.signal);
        await this.evaluateIfDue();
        if (isDue(this.state.update, this.config.checkpointEvery, this.config.updates)) {
          await this.save();
        }
        if (this.state.update >= this.config.updates) return this.result();
        await this.update(this.window);
        await nextTurn();
      }
    } catch (thrown) {
      // Between updates the state is whole: keep it before giving way.
      if (this.context.signal.aborted && isCancelled(thrown)) await this.save();
      throw thrown;
    } finally {
      this.window.close();
    }
  }

  private openWindow(): SamplingWindow {
    const { config, parts, source, context, state } = this;
    const options = {
      rollouts: parts.rollouts,
      source,
      versionOfStep: (step: number) => versionOfStep(this.state.published, step),
      maxStaleness: config.maxStaleness,
      batchSize: config.promptsPerUpdate * config.samplesPerPrompt,
      updates: config.updates,
      problemOf: this.problemOf,
      signal: context.signal,
    };
    return openSamplingWindow(options, state.update);
  }

  private async update(window: SamplingWindow): Promise<void> {
    const { state, context } = this;
    const started = performance.now();
    await this.publish();
    window.fill(state.update);
    const next = () => window.next(state.update);
    const { tasks, samples: arrived } = await this.phase("wait", next);
    const samples = this.verify(tasks, arrived);
    throwIfAborted(context.signal);
    const collectMs = performance.now() - started;
    const rolloutIds = samples.map(({ rolloutId }) => rolloutId);
    const learn = () => this.learn(samples, { collectMs, startedMs: started });
    await this.phase("update", learn, rolloutIds);
  }

  private async learn(
    samples: readonly RolloutSample[],
    timing: { collectMs: number; startedMs: number },
  ): Promise<void> {
    const { state, config, parts } = this;
    const batch = buildExperience(samples, this.models(), this.experienceOptions());
    const klCoef = this.klControl.coef();
    const estimates = estimateAdvantages(batch, advantageOptions(config, klCoef));
    const rollouts = rolloutSignals(batch, estimates, klCoef);
    const optimized = await optimize(parts.trainees, batch, {
      estimates,
      options: optimizeOptions(config, { update: state.update, klCoef }),
    });
    this.klControl.update(rollouts.kl, batch.length);
    const learningRate = updateLearningRate(config, state.update, config.learningRate);
    const signals = { ...rollouts, ...optimized, learningRate };
    await parts.onUpdate?.(state.update + 1, batch, { estimates, klCoef });
    this.commit(samples, signals, timing);
  }

  /** Tells whoever listens what the time goes into. */
  private async phase<T>(
    name: StagePhase["name"],
    work: () => Promise<T>,
    rolloutIds: readonly string[] = [],
  ): Promise<T> {
    const ended = this.context.onPhase?.({ name, rolloutIds });
    try {
      return await work();
    } finally {
      ended?.();
    }
  }

  /** Asked of every answer that arrives; see `rolloutProblem`. */
  private readonly problemOf: RolloutCheck = (sample, task) =>
    rolloutProblem(sample, task, this.rules()) ?? weightProblem(sample, task, this.state.published);

  private rules(): RolloutRules {
    const { vocabSize = this.parts.trainees.policy.config.vocabSize } = this.parts;
    const { scores, endIds } = this.experienceOptions();
    return { vocabSize, maxScore: this.config.maxScore, scores, endIds };
  }

  private verify(tasks: readonly PromptTask[], samples: readonly RolloutSample[]): RolloutSample[] {
    const { published, update } = this.state;
    try {
      return verifyRollouts(tasks, samples, {
        published,
        ...this.rules(),
        isConsumed: (rolloutId) => this.ledger.has(rolloutId),
      });
    } catch (thrown) {
      if (thrown instanceof WrongWeightsError) {
        this.sound(staleWeightsAlarm(thrown.reason), update + 1);
      }
      throw thrown;
    }
  }

  /** Gives the samplers the weights of this update, once. */
  private async publish(): Promise<void> {
    if (this.isPublished) return;
    const { state, parts, config } = this;
    const step = state.update;
    releaseIdleMemory(); // samplers in this process are next
    const tensors = withHeadsOnly(parts.trainees.policy, ["lm"]).tensors();
    await this.phase("publish", async () => {
      const { version, sha256, announce } = await parts.weights.store(tensors, step);
      // Known before a sampler hears of them: an answer may come at once.
      const others = state.published.filter((weights) => weights.step !== step);
      state.published = [...others, { version, sha256, step }].slice(-1 - config.maxStaleness);
      await announce();
    });
    this.isPublished = true;
  }

  private models() {
    const { trainees, reference } = this.parts;
    const { policy, critic } = trainees;
    return { policy, reference, ...(critic ? { critic } : {}) };
  }

  private experienceOptions() {
    const { endIds, scoreScale, scoreZero } = this.parts;
    const scores = { scoreScale, scoreZero };
    const { update, published } = this.state;
    return experienceOptions(this.config, { endIds, ...scores, update, published });
  }

  /** The update becomes part of the state; nothing after this line can fail half-way. */
  private commit(
    samples: readonly RolloutSample[],
    signals: UpdateSignals,
    timing: { collectMs: number; startedMs: number },
  ): void {
    const { state, context } = this;
    const ids = samples.map(({ rolloutId }) => rolloutId);
    this.ledger.add(ids);
    this.unacknowledged.push(...ids);
    state.update++;
    this.isPublished = false;
    state.numEpisodes += samples.length;
    state.numTokens += signals.numTokens;
    state.signals = signals;
    const extra = meanExtraScores(samples);
    const elapsedMs = performance.now() - timing.startedMs;
    const tokensPerSecond = (1000 * signals.numTokens) / elapsedMs;
    this.write({ kind: "update", ...signals, ...extra, tokensPerSecond, ...timingOf(timing) });
    context.reporter.progress({
      stage: "ppo",
      done: state.update,
      total: this.config.updates,
      unit: "steps",
      tokensPerSecond,
      note: `score ${signals.score.toFixed(3)}, KL ${signals.kl.toFixed(2)}`,
    });
    this.alarm(signals, extra["score_gold"]);
  }

  private alarm(signals: UpdateSignals, gold: number | undefined): void {
    const { maxStaleness } = this.config;
    const canEnd = this.parts.endIds.length > 0;
    const context = { gold, maxStaleness, canEnd };
    const { alarms, state } = checkAlarms(signals, this.state.alarms, context);
    this.state.alarms = state;
    for (const alarm of alarms) this.sound(alarm);
  }

  /** Updates count from 1 for people: the number of the one that it concerns. */
  private sound(alarm: Alarm, update = this.state.update): void {
    const { message, meaning, advice } = alarm;
    this.write({ kind: "alarm", ...alarm });
    this.context.reporter.warn(
      `update ${update}: ${message}. It means: ${meaning}. What to try: ${advice}`,
    );
  }

  private async evaluateIfDue(): Promise<void> {
    const { state, config, parts } = this;
    if (parts.evalPrompts.length === 0 || state.evaluatedUpdate === state.update) return;
    if (!isDue(state.update, config.evalEvery, config.updates)) return;
    await this.publish();
    await this.phase("evaluate", () => this.evaluate());
  }

  private async evaluate(): Promise<void> {
    const { state, config, parts } = this;
    const tasks = evaluationTasks(
      parts.evalPrompts,
      { ...config, temperature: config.evalTemperature },
      { update: state.update, minWeightVersion: versionOfStep(state.published, state.update) },
    );
    const samples = await this.collectEvaluation(tasks);
    state.evaluation = evaluationFigures(samples, this.models(), this.experienceOptions());
    await this.select(state.evaluation["evalScore"]);
    state.evaluatedUpdate = state.update;
    this.write({ kind: "eval", ...state.evaluation });
  }

  /** Keeps the best of the trained policies; update 0 is what to compare them with. */
  private async select(score: number | undefined): Promise<void> {
    const { state, parts, config, context } = this;
    if (score === undefined || !Number.isFinite(score)) return;
    if (state.update === 0) state.startScore = score;
    else if (!state.best || score > state.best.score) {
      await parts.saveBest?.();
      state.best = { update: state.update, score };
    }
    const { best, startScore } = state;
    if (state.update < config.updates || !best || startScore === undefined) return;
    if (best.score > startScore) return;
    context.reporter.warn(
      `training did not improve the held-out score: ${startScore.toPrecision(4)} before the first ` +
        `update, ${best.score.toPrecision(4)} at its best (update ${best.update})`,
    );
  }

  /** Answers of the newest weights, whatever the staleness that training allows. */
  private async collectEvaluation(tasks: PromptTask[]): Promise<RolloutSample[]> {
    const samples = await this.parts.rollouts.collect(tasks, this.context.signal, this.problemOf);
    throwIfAborted(this.context.signal);
    const verified = this.verify(tasks, samples);
    await this.parts.rollouts.acknowledge?.(verified.map(({ rolloutId }) => rolloutId));
    return verified;
  }

  private write(record: JsonObject): void {
    const { update, numEpisodes } = this.state;
    const full = { stage: "ppo", step: update, numEpisodes, ...record };
    this.runDirectory.metrics.write(full);
    this.context.reporter.metrics(full);
  }

  private async save(): Promise<void> {
    const { state } = this;
    if (state.update === 0 || this.savedUpdate === state.update) return;
    await this.phase("checkpoint", () => this.writeCheckpoint());
    // Acknowledged only now: what a crash forgets is delivered again, and the ledger counts it once.
    const ids = this.unacknowledged.splice(0);
    if (ids.length > 0) await this.parts.rollouts.acknowledge?.(ids);
  }

  private async writeCheckpoint(): Promise<void> {
    const { state } = this;
    await this.runDirectory.checkpoints.save(state.update, {
      tensors: traineesToTensors(this.parts.trainees),
      state: {
        loop: { ...state } as unknown as JsonObject,
        kl: this.klControl.state(),
        ledger: this.ledger.state(),
        ptx: this.parts.ptxSource?.position() ?? null,
        metricsBytes: this.runDirectory.metrics.sizeBytes(),
      },
    });
    this.savedUpdate = state.update;
  }

  private async restore(): Promise<void> {
    const { runDirectory, context, parts } = this;
    const checkpoint = context.resume ? await runDirectory.checkpoints.loadLatest() : undefined;
    if (!checkpoint) return runDirectory.metrics.truncate(0);
    const { tensors, state, step } = checkpoint;
    loadTrainees(parts.trainees, tensors);
    this.state = { ...(state["loop"] as unknown as LoopState) };
    this.klControl = createKlController(klConfig(this.config), state["kl"] as { klCoef: number });
    this.ledger = createLedger(state["ledger"] as string[][]);
    if (state["ptx"]) await parts.ptxSource?.seek(state["ptx"] as JsonObject);
    runDirectory.metrics.truncate(state["metricsBytes"] as number);
    this.savedUpdate = step;
    context.reporter.info(`resumed at update ${step} of ${this.config.updates}`);
  }

  private result(): PpoLoopResult {
    const { signals, evaluation, best } = this.state;
    return { signals: signals ?? undefined, evaluation, best };
  }
}

function timingOf({ collectMs, startedMs }: { collectMs: number; startedMs: number }) {
  return {
    collectMs: Math.round(collectMs),
    trainMs: Math.round(performance.now() - startedMs - collectMs),
  };
}
