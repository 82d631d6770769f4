import { f32, type TensorEntry } from "@stagecraft/checkpoint";
import { familyOf } from "./families/index.js";
import { modelFromTensors, type Model } from "./model.js";
import { HEAD_NAMES } from "./names.js";

/**
 * The model with rows for more tokens, for a tokenizer that got new ones: each new row of the embeddings
 * and of the language-model head is the mean of those that were there, so that a new token is at first
 * about as likely as any (Hewitt 2021, "Initializing new word embeddings"). Disposes the given model.
 * @param vocabSize at least the model's
 */
export function growVocabulary(model: Model, vocabSize: number): Model {
  const { config, heads, dtype } = model;
  const byToken: readonly string[] = [
    familyOf(config).names.embedding,
    ...Object.values(HEAD_NAMES.lm),
  ];
  const tensors = new Map(
    [...model.tensors()].map(([name, entry]): [string, TensorEntry] => {
      return [name, byToken.includes(name) ? withRows(entry, vocabSize) : entry];
    }),
  );
  model.dispose();
  const grown = { ...config, vocabSize };
  return modelFromTensors(grown, tensors, { heads, dtype, seed: 0, adopt: "exclusive" });
}

function withRows({ shape, data }: TensorEntry, numRows: number): TensorEntry {
  const [known = 0, ...rest] = shape;
  const size = rest.reduce((product, length) => product * length, 1);
  const values = new Float32Array(numRows * size);
  values.set(data as Float32Array);
  const mean = new Float64Array(size);
  for (let i = 0; i < known * size; i++) mean[i % size]! += values[i]! / known;
  for (let row = known; row < numRows; row++) values.set(mean, row * size);
  return f32([numRows, ...rest], values);
}
