/**
 * The PPO loop of InstructGPT [IG, section 3.5] with the implementation details of [N+], departures:
 * 1. sampling and scoring happen elsewhere (`PpoPlanes`); what comes back is verified, not trusted;
 * 2. policy and critic are separate networks with separate optimizers [IG, St];
 * 3. prompts, seeds and shuffles are functions of (seed, update), so a checkpoint holds no generator.
 * An update is atomic: a stop or crash inside it repeats it from the last committed state.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { TensorEntry } from "@stagecraft/checkpoint";
import { isCancelled, throwIfAborted, type JsonObject } from "@stagecraft/core";
import {
  learningRateAt,
  loadOptimizer,
  loadVariables,
  optimizerToTensors,
  variablesToTensors,
  type Run,
  type StageContext,
} from "@stagecraft/learn";
import type { Model } from "@stagecraft/model";
import { estimateAdvantages, type Estimates, type Experience } from "../batch/experience.js";
import { createKlController, type KlController } from "../math/kl-controller.js";
import { checkAlarms, initialAlarmState, type AlarmState } from "./alarms.js";
import {
  buildExperience,
  evaluationFigures,
  meanExtraScores,
  type ExperienceOptions,
} from "./build-experience.js";
import type { PpoConfig } from "./config.js";
import { createLedger, type Ledger } from "./ledger.js";
import { optimize, type Trainees } from "./optimize.js";
import type { PpoPlanes, PromptTask, RolloutSample } from "./planes.js";
import {
  createTaskSource,
  evaluationTasks,
  type PreparedPrompt,
  type TaskSource,
} from "./prompt-tasks.js";
import { rolloutSignals, type UpdateSignals } from "./signals.js";
import { verifyRollouts } from "./verify-rollouts.js";

export interface PpoLoopParts {
  trainees: Trainees;
  /** Frozen; the caller disposes it. */
  reference: Model;
  prompts: readonly PreparedPrompt[];
  evalPrompts: readonly PreparedPrompt[];
  /** undefined: answers have a fixed length and no end token. */
  eosId: number | undefined;
  planes: PpoPlanes;
  /** Scores are multiplied by it before anything else; default 1. */
  scoreScale?: number;
  /** Where the ptx text stands; part of the checkpoint. */
  ptxSource?: { position(): JsonObject; seek(position: JsonObject): Promise<void> };
  /** Keeps the policy as the best so far. */
  saveBest?(): Promise<void>;
  /** Told every update's experience, e.g. to write it down for inspection. */
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
  signals: UpdateSignals | null;
  alarms: AlarmState;
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
  private published: { version: number; sha256: string } | undefined;
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
    try {
      for (;;) {
        throwIfAborted(this.context.signal);
        await this.evaluateIfDue();
        if (isDue(this.state.update, this.config.checkpointEvery, this.config.updates)) {
          await this.save();
        }
        if (this.state.update >= this.config.updates) return this.result();
        await this.update();
        await nextTurn();
      }
    } catch (thrown) {
      // Between updates the state is whole: keep it before giving way.
      if (this.context.signal.aborted && isCancelled(thrown)) await this.save();
      throw thrown;
    }
  }

  private async update(): Promise<void> {
    const { state, config, context } = this;
    const started = performance.now();
    const { version, sha256 } = await this.publish();
    const tasks = this.source.tasks(state.update, version);
    const samples = verifyRollouts(tasks, await this.parts.planes.collect(tasks, context.signal), {
      version,
      sha256,
      maxStaleness: 0,
      vocabSize: this.parts.trainees.policy.config.vocabSize,
      isConsumed: (rolloutId) => this.ledger.has(rolloutId),
    });
    throwIfAborted(context.signal);
    const collected = performance.now();
    const batch = buildExperience(samples, this.models(), this.experienceOptions());
    const klCoef = this.klControl.coef();
    const estimates = this.estimates(batch, klCoef);
    const rollouts = rolloutSignals(batch, estimates, klCoef);
    const optimized = await optimize(this.parts.trainees, batch, {
      estimates,
      options: this.optimizeOptions(klCoef),
    });
    this.klControl.update(rollouts.kl, batch.length);
    const learningRate = this.learningRate(config.learningRate);
    const signals = { ...rollouts, ...optimized, learningRate };
    await this.parts.onUpdate?.(state.update, batch, { estimates, klCoef });
    this.commit(samples, signals, { collectMs: collected - started, startedMs: started });
  }

  private async publish(): Promise<{ version: number; sha256: string }> {
    const version = this.state.update;
    if (this.published?.version === version) return this.published;
    const tensors = this.parts.trainees.policy.tensors();
    const { sha256 } = await this.parts.planes.publishWeights(version, tensors, version);
    this.published = { version, sha256 };
    return this.published;
  }

  private estimates(batch: readonly Experience[], klCoef: number): Estimates {
    const { config } = this;
    return estimateAdvantages(batch, {
      estimator: config.estimator,
      gamma: config.gamma,
      gaeLambda: config.gaeLambda,
      whitenAdvantages: config.whitenAdvantages,
      whitenRewards: config.whitenRewards,
      klCoef: config.klMode === "reward" ? klCoef : 0,
    });
  }

  private models() {
    const { trainees, reference } = this.parts;
    const { policy, critic } = trainees;
    return { policy, reference, ...(critic ? { critic } : {}) };
  }

  private experienceOptions(): ExperienceOptions {
    const { config, parts } = this;
    return {
      ...this.forwardOptions(),
      eosId: parts.eosId,
      scoreScale: parts.scoreScale ?? 1,
      missingEos: { kind: config.missingEos, value: config.missingEosValue },
      samplesPerPrompt: config.samplesPerPrompt,
      recomputeOldLogProbs: config.oldLogProbs === "trainer",
    };
  }

  private forwardOptions() {
    const { temperature, maxTokensPerPass } = this.config;
    return { padId: 0, maxTokens: maxTokensPerPass, temperature };
  }

  private optimizeOptions(klCoef: number) {
    const { config, state } = this;
    return {
      ...config,
      ...this.forwardOptions(),
      clipLow: config.clipRange,
      clipHigh: config.clipRangeHigh > 0 ? config.clipRangeHigh : config.clipRange,
      klLossCoef: config.klMode === "loss" ? klCoef : 0,
      policyLearningRate: this.learningRate(config.learningRate),
      criticLearningRate: this.learningRate(config.criticLearningRate || config.learningRate),
      trainPolicy: state.update >= config.criticWarmupUpdates,
      update: state.update,
    };
  }

  private learningRate(peak: number): number {
    const { schedule, warmupUpdates, updates, minLearningRateRatio } = this.config;
    return learningRateAt(this.state.update, {
      kind: schedule,
      learningRate: peak,
      warmupSteps: warmupUpdates,
      totalSteps: updates,
      minRatio: minLearningRateRatio,
    });
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
    const { alarms, state } = checkAlarms(signals, this.state.alarms, gold);
    this.state.alarms = state;
    for (const alarm of alarms) {
      this.write({ kind: "alarm", ...alarm });
      this.context.reporter.warn(
        `update ${this.state.update}: ${alarm.message}. What to try: ${alarm.advice}`,
      );
    }
  }

  private async evaluateIfDue(): Promise<void> {
    const { state, config, parts } = this;
    if (parts.evalPrompts.length === 0 || state.evaluatedUpdate === state.update) return;
    if (!isDue(state.update, config.evalEvery, config.updates)) return;
    const { version, sha256 } = await this.publish();
    const tasks = evaluationTasks(
      parts.evalPrompts,
      { ...config, temperature: config.evalTemperature },
      { update: state.update, minWeightVersion: version },
    );
    const samples = await this.collectEvaluation(tasks, { version, sha256 });
    state.evaluation = evaluationFigures(samples, this.models(), this.experienceOptions());
    const score = state.evaluation["evalScore"]!;
    if (!state.best || score > state.best.score) {
      await parts.saveBest?.();
      state.best = { update: state.update, score };
    }
    state.evaluatedUpdate = state.update;
    this.write({ kind: "eval", ...state.evaluation });
  }

  private async collectEvaluation(
    tasks: PromptTask[],
    weights: { version: number; sha256: string },
  ): Promise<RolloutSample[]> {
    const samples = await this.parts.planes.collect(tasks, this.context.signal);
    throwIfAborted(this.context.signal);
    const verified = verifyRollouts(tasks, samples, {
      ...weights,
      maxStaleness: 0,
      vocabSize: this.parts.trainees.policy.config.vocabSize,
      isConsumed: () => false,
    });
    await this.parts.planes.acknowledge?.(verified.map(({ rolloutId }) => rolloutId));
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
    await this.runDirectory.checkpoints.save(state.update, {
      tensors: this.checkpointTensors(),
      state: {
        loop: { ...state } as unknown as JsonObject,
        kl: this.klControl.state(),
        ledger: this.ledger.state(),
        ptx: this.parts.ptxSource?.position() ?? null,
        metricsBytes: this.runDirectory.metrics.sizeBytes(),
      },
    });
    this.savedUpdate = state.update;
    // Acknowledged only now: what a crash forgets is delivered again, and the ledger counts it once.
    const ids = this.unacknowledged.splice(0);
    if (ids.length > 0) await this.parts.planes.acknowledge?.(ids);
  }

  private checkpointTensors(): Map<string, TensorEntry> {
    const { policy, policyOptimizer, critic, criticOptimizer } = this.parts.trainees;
    return new Map([
      ...variablesToTensors(policy.params, "policy/"),
      ...optimizerToTensors(policyOptimizer, "policyOptimizer/"),
      ...(critic ? variablesToTensors(critic.params, "critic/") : []),
      ...(criticOptimizer ? optimizerToTensors(criticOptimizer, "criticOptimizer/") : []),
    ]);
  }

  private async restore(): Promise<void> {
    const { runDirectory, context, parts } = this;
    const checkpoint = context.resume ? await runDirectory.checkpoints.loadLatest() : undefined;
    if (!checkpoint) return runDirectory.metrics.truncate(0);
    const { tensors, state, step } = checkpoint;
    const { policy, policyOptimizer, critic, criticOptimizer } = parts.trainees;
    loadVariables(policy.params, tensors, "policy/");
    loadOptimizer(policyOptimizer, tensors, "policyOptimizer/");
    if (critic) loadVariables(critic.params, tensors, "critic/");
    if (criticOptimizer) loadOptimizer(criticOptimizer, tensors, "criticOptimizer/");
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

function klConfig(config: PpoConfig) {
  const { klCoef, klTarget, klHorizon } = config;
  if (klTarget <= 0) return { kind: "fixed", klCoef } as const;
  return { kind: "adaptive", klCoef, targetKl: klTarget, horizon: klHorizon } as const;
}

function timingOf({ collectMs, startedMs }: { collectMs: number; startedMs: number }) {
  return {
    collectMs: Math.round(collectMs),
    trainMs: Math.round(performance.now() - startedMs - collectMs),
  };
}

function isDue(update: number, every: number, last: number): boolean {
  return update === last || (every > 0 && update % every === 0);
}
