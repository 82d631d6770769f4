import { f32, type TensorEntry } from "@stagecraft/checkpoint";
import { familyOf } from "./families/index.js";
import { withParameters, type Model } from "./model.js";
import { HEAD_NAMES } from "./names.js";

/**
 * The model with rows for more tokens, for a tokenizer that got new ones: each new row of the embeddings
 * and of the language-model head is the mean of those that were there, so that a new token is at first
 * about as likely as any (Hewitt 2021, "Initializing new word embeddings"). Takes the given model over: its
 * other weights become those of the result, and are never held twice.
 * @param vocabSize at least the model's
 */
export function growVocabulary(model: Model, vocabSize: number): Model {
  const byToken = [familyOf(model.config).names.embedding, ...Object.values(HEAD_NAMES.lm)];
  const grown = byToken.flatMap((name): [string, TensorEntry][] => {
    const variable = model.params.get(name);
    if (!variable) return [];
    const known = f32(variable.shape, variable.dataSync() as Float32Array);
    return [[name, withRows(known, vocabSize)]];
  });
  return withParameters(model, { ...model.config, vocabSize }, new Map(grown));
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
