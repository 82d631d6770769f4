/** Exact one-sided sign test of "better more often than worse"; ties are left out before. */
export interface SignTest {
  /** Cases in which the new one is better. */
  wins: number;
  /** Cases in which the two differ. */
  trials: number;
  /** P(at least so many wins) if better and worse were equally likely; 1 without trials. */
  p: number;
}

/** Of the differences new minus old, one for each independent case. */
export function signTest(differences: readonly number[]): SignTest {
  const wins = differences.filter((difference) => difference > 0).length;
  const trials = differences.filter((difference) => difference !== 0).length;
  return { wins, trials, p: upperTail(wins, trials) };
}

/** P(X ≥ wins) of X ~ Binomial(trials, ½), summed in logarithms. */
function upperTail(wins: number, trials: number): number {
  let logTerm = -trials * Math.LN2; // ln C(n, k)·2⁻ⁿ, from k = n down
  let sum = 0;
  for (let k = trials; k >= wins; k--) {
    sum += Math.exp(logTerm);
    logTerm += Math.log(k) - Math.log(trials - k + 1);
  }
  return Math.min(1, sum);
}
