/** How β moves: constant, or toward a target KL [Z, section 2.2]. Serializable. */
export type KlControllerConfig =
  | { kind: "fixed"; klCoef: number }
  | {
      kind: "adaptive";
      klCoef: number;
      /** KL per sequence (nats, summed over its tokens) to steer to; [Z] uses 6. */
      targetKl: number;
      /** Episodes over which β moves; [Z] uses 10 000. */
      horizon: number;
    };

const MAX_ERROR = 0.2;

export interface KlController {
  /** β of the next update. */
  coef(): number;
  /** Tells the KL measured on a batch (mean over sequences of the sum over tokens). */
  update(kl: number, numEpisodes: number): void;
  /** What a checkpoint needs to continue exactly. */
  state(): { klCoef: number };
}

/** The controller, from its configuration or, with `state`, where a checkpoint left it. */
export function createKlController(
  config: KlControllerConfig,
  state?: { klCoef: number },
): KlController {
  let klCoef = state?.klCoef ?? config.klCoef;
  return {
    coef: () => klCoef,
    update(kl, numEpisodes) {
      if (config.kind === "adaptive") klCoef *= adaptiveFactor(kl, numEpisodes, config);
    },
    state: () => ({ klCoef }),
  };
}

/** 1 + clip(KL/target − 1, ±.2)·n/horizon [Z]. */
function adaptiveFactor(
  kl: number,
  numEpisodes: number,
  config: { targetKl: number; horizon: number },
): number {
  const error = Math.min(Math.max(kl / config.targetKl - 1, -MAX_ERROR), MAX_ERROR);
  return 1 + (error * numEpisodes) / config.horizon;
}
