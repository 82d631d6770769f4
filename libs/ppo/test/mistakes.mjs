/**
 * Puts every mistake of src/mistakes.test.ts into a copy of the sources and sees its test fail.
 * `node libs/ppo/test/mistakes.mjs [number …]`; exit code 1 when a mistake goes unnoticed.
 */
import { execFileSync, spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
/** Used where it is, with what was compiled for this machine. */
const NATIVE = "libs/tensor-native";
const TESTS = "libs/ppo/src";

/** What is wrong, where, the right text, the wrong one, the test that must fail and its file. */
const MISTAKES = [
  [
    "positions count the row, padding included",
    "libs/ppo/src/batch/layout.ts",
    "layout.positions[n] = i;",
    "layout.positions[n] = n % layout.length;",
    "positions: what lies before",
    `${TESTS}/mistakes.test.ts`,
  ],
  [
    "positions of the batch are ignored",
    "libs/model/src/batch.ts",
    "return positions ?? Int32Array",
    "return Int32Array",
    "same logits under left and right padding",
    "libs/model/src/forward.test.ts",
  ],
  [
    "PAD rows count in the loss",
    "libs/ppo/src/batch/layout.ts",
    "new Float32Array(layout.ids.length);",
    "new Float32Array(layout.ids.length).fill(0.01);",
    "PAD: its id moves",
    `${TESTS}/mistakes.test.ts`,
  ],
  [
    "what follows the EOS is learnt and whitened with the rest",
    "libs/ppo/src/math/rewards.ts",
    "ids: ids.subarray(0, end + 1)",
    "ids",
    "PAD: its id moves",
    `${TESTS}/mistakes.test.ts`,
  ],
  [
    "no temperature in the trainer",
    "libs/ppo/src/stage/policy-step.ts",
    "return { temperature, withEntropyGradient",
    "return { temperature: temperature > 0 ? 1 : 0, withEntropyGradient",
    "uses one temperature",
    `${TESTS}/stage/run-ppo.test.ts`,
  ],
  [
    "no temperature in the reference",
    "libs/ppo/src/batch/forward.ts",
    "model.logProbs(layout, options)",
    "model.logProbs(layout)",
    "uses one temperature",
    `${TESTS}/stage/run-ppo.test.ts`,
  ],
  [
    "the score lands on the first token",
    "libs/ppo/src/math/rewards.ts",
    "input.scoreIndex ?? logProbs.length - 1",
    "input.scoreIndex ?? 0",
    "score: on the EOS",
    `${TESTS}/mistakes.test.ts`,
  ],
  [
    "the score lands on the last place, whatever the EOS",
    "libs/ppo/src/math/rewards.ts",
    "ids: ids.subarray(0, end + 1)",
    "ids",
    "score: on the EOS",
    `${TESTS}/mistakes.test.ts`,
  ],
  [
    "returns from whitened advantages",
    "libs/ppo/src/batch/experience.ts",
    "returns: estimates.map((estimate) => estimate.returns)",
    "returns: (options.whitenAdvantages ? whitenTogether(advantages, true) : advantages).map((row, i) => row.map((a, t) => a + batch[i]!.values[t]!))",
    "returns: from advantages",
    `${TESTS}/mistakes.test.ts`,
  ],
  [
    "advantages whitened again in the minibatch",
    "libs/ppo/src/stage/policy-step.ts",
    "advantages: flat(({ advantages }) => advantages)",
    "advantages: flat(({ advantages }) => advantages).map((a, _, all) => a / Math.hypot(...all))",
    "whitening: once",
    `${TESTS}/mistakes.test.ts`,
  ],
  [
    "the sign of the ranking is flipped",
    "libs/learn/src/reward/ranking-loss.ts",
    "rewards[winner]! - rewards[loser]!",
    "rewards[loser]! - rewards[winner]!",
    "golden vector",
    "libs/learn/src/reward/ranking.test.ts",
  ],
  [
    "a length-biased reward model goes unnoticed",
    "libs/ppo/src/stage/signals.ts",
    "lengthCorrelation: correlation(scores, lengths)",
    "lengthCorrelation: 0 * correlation(scores, lengths)",
    "pays for length",
    `${TESTS}/mistakes.test.ts`,
  ],
  [
    "dropout is left on",
    "libs/model/src/forward.ts",
    "let x = embedTokens(weights, batch.ids, positions);",
    "let x = tf.dropout(embedTokens(weights, batch.ids, positions), 0.1) as tf.Tensor2D;",
    "dropout: two passes",
    `${TESTS}/mistakes.test.ts`,
  ],
  [
    "weight versions are not checked",
    "libs/ppo/src/stage/verify-rollouts.ts",
    "const stale = weightProblem(sample, expected);",
    "const stale = expected.version < 0 ? weightProblem(sample, expected) : undefined;",
    "do not reach the sampler",
    `${TESTS}/mistakes.test.ts`,
  ],
  [
    "sampler and trainer are not compared",
    "libs/ppo/src/stage/policy-step.ts",
    "firstRatioError: result.maxRatioError,",
    "firstRatioError: 0 * result.maxRatioError,",
    "only claims to have loaded",
    `${TESTS}/mistakes.test.ts`,
  ],
  [
    "the KL in the reward is that of weights long gone",
    "libs/ppo/src/batch/experience.ts",
    "logProbs: item.oldLogProbs,",
    "logProbs: item.behaviourLogProbs,",
    "the KL of the policy that learns",
    `${TESTS}/batch/experience.test.ts`,
  ],
  [
    "no temperature in the sampler",
    "libs/model/src/generation/draw-tokens.ts",
    "({ sequence }) => sequence.temperature)",
    "({ sequence }) => (sequence.temperature > 0 ? 1 : 0))",
    "uses one temperature",
    `${TESTS}/stage/run-ppo.test.ts`,
  ],
];

const copy = mkdtempSync(join(tmpdir(), "stagecraft-mistakes-"));
try {
  copySources();
  const chosen = process.argv.slice(2).map(Number);
  const unnoticed = MISTAKES.filter((_, i) => chosen.length === 0 || chosen.includes(i + 1)).filter(
    (mistake) => !isNoticed(mistake),
  );
  process.exitCode = unnoticed.length > 0 ? 1 : 0;
} finally {
  rmSync(copy, { recursive: true, force: true });
}

/** True when the test passes without the mistake and fails with it. */
function isNoticed([what, file, right, wrong, test, testFile]) {
  const path = join(copy, file);
  const source = readFileSync(path, "utf8");
  if (source.split(right).length !== 2) throw new Error(`${file}: "${right}" is not there once`);
  const before = passes(test, testFile);
  writeFileSync(
    path,
    source.replace(right, () => wrong),
  );
  const after = passes(test, testFile);
  writeFileSync(path, source);
  const verdict = !before ? "✘ fails anyway" : after ? "✘ unnoticed" : "✔ noticed";
  console.log(`${verdict}: ${what} (${testFile}: "${test}")`);
  return before && !after;
}

function passes(test, testFile) {
  const args = [join(copy, "node_modules/vitest/vitest.mjs"), "run", testFile, "-t", test];
  const result = spawnSync(process.execPath, args, { cwd: copy, encoding: "utf8" });
  if (!/Tests .*(passed|failed)/.test(result.stdout)) {
    throw new Error(`no test ran:\n${result.stdout}${result.stderr}`);
  }
  return result.status === 0;
}

function copySources() {
  const tracked = execFileSync("git", ["ls-files", "-co", "--exclude-standard"], { cwd: ROOT });
  const isWanted = (file) =>
    /^((libs|services)\/|[^/]+\.(json|ts)$)/.test(file) && !file.startsWith(`${NATIVE}/`);
  for (const file of tracked.toString().split("\n").filter(isWanted)) {
    if (existsSync(join(ROOT, file))) cpSync(join(ROOT, file), join(copy, file));
  }
  symlinkSync(join(ROOT, NATIVE), join(copy, NATIVE));
  const scope = join(copy, "node_modules/@stagecraft");
  mkdirSync(scope, { recursive: true });
  for (const name of readdirSync(join(ROOT, "node_modules"))) {
    if (name === "@stagecraft") continue;
    symlinkSync(join(ROOT, "node_modules", name), join(copy, "node_modules", name));
  }
  for (const name of readdirSync(join(copy, "libs"))) {
    symlinkSync(join(copy, "libs", name), join(scope, name));
  }
}
