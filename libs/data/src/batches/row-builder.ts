import type { TokenBatch } from "../types.js";

export interface RowBuilderOptions {
  batchSize: number;
  length: number;
  byteLengths: Int32Array;
  padId: number;
  /** Never a target: nobody has to predict that a document begins. */
  bosId?: number | undefined;
  /** Only targets that stand for text, so that bits per byte can be computed. Default false. */
  textTargetsOnly?: boolean | undefined;
}

/** Fills a batch stretch by stretch; what stays empty is padding in segment 0. */
export class RowBuilder {
  private readonly batch: TokenBatch;
  private readonly filled: Int32Array;
  private readonly numSegments: Int32Array;

  constructor(private readonly options: RowBuilderOptions) {
    const { batchSize, length, padId } = options;
    const size = batchSize * length;
    this.batch = {
      ...{ batchSize, length, numTargets: 0, numTargetBytes: 0 },
      ids: new Int32Array(size).fill(padId),
      targets: new Int32Array(size).fill(-1),
      segments: new Int32Array(size),
      positions: new Int32Array(size),
    };
    this.filled = new Int32Array(batchSize);
    this.numSegments = new Int32Array(batchSize);
  }

  /**
   * Adds a stretch of n + 1 tokens as n inputs with the next token each as target, in a segment of
   * its own. With a mask, only tokens marked 1 are targets.
   */
  add(row: number, tokens: Int32Array, mask?: Uint8Array): void {
    const { batch, options } = this;
    const start = row * options.length + this.filled[row]!;
    const segment = ++this.numSegments[row]!;
    const count = tokens.length - 1;
    for (let i = 0; i < count; i++) {
      batch.ids[start + i] = tokens[i]!;
      batch.segments[start + i] = segment;
      batch.positions[start + i] = i;
      if (mask === undefined || mask[i + 1] === 1) this.addTarget(start + i, tokens[i + 1]!);
    }
    this.filled[row]! += count;
  }

  build(): TokenBatch {
    return this.batch;
  }

  private addTarget(at: number, target: number): void {
    const { byteLengths, bosId, textTargetsOnly } = this.options;
    if (target === bosId || (textTargetsOnly && byteLengths[target] === 0)) return;
    this.batch.targets[at] = target;
    this.batch.numTargets++;
    this.batch.numTargetBytes += byteLengths[target]!;
  }
}
