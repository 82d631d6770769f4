import { createRequire } from "node:module";
import type * as core from "@tensorflow/tfjs-core";

const require = createRequire(import.meta.url);

/**
 * The only door to TensorFlow.js. Its core and CPU backend are loaded by `require`: `import` would first search
 * megabytes of CommonJS for names, in every process and thread. The core alone has no gradients: the whole
 * package brings them, and is loaded when the first one is asked for.
 */
const loaded = require("@tensorflow/tfjs-core") as typeof core;
require("@tensorflow/tfjs-backend-cpu");

export const tf: typeof core = {
  ...loaded,
  grad: withGradients(loaded.grad),
  grads: withGradients(loaded.grads),
  valueAndGrad: withGradients(loaded.valueAndGrad),
  valueAndGrads: withGradients(loaded.valueAndGrads),
  variableGrads: withGradients(loaded.variableGrads),
  getGradient: withGradients(loaded.getGradient),
};

function withGradients<T extends (...args: never[]) => unknown>(f: T): T {
  const call = (...args: never[]) => {
    require("@tensorflow/tfjs");
    return f(...args);
  };
  return call as T;
}

/** TFJS's types, under the same name. */
/* eslint-disable @typescript-eslint/no-namespace -- the one way to give a value and types one name */
export declare namespace tf {
  export type Tensor<R extends core.Rank = core.Rank> = core.Tensor<R>;
  export type Tensor1D = core.Tensor1D;
  export type Tensor2D = core.Tensor2D;
  export type Tensor3D = core.Tensor3D;
  export type Tensor4D = core.Tensor4D;
  export type Scalar = core.Scalar;
  export type Variable<R extends core.Rank = core.Rank> = core.Variable<R>;
  export type DataType = core.DataType;
  export type Rank = core.Rank;
  export namespace Rank {
    export type R1 = core.Rank.R1;
    export type R2 = core.Rank.R2;
  }
  export type TensorInfo = core.TensorInfo;
  export type TypedArray = core.TypedArray;
  export type BackendValues = core.BackendValues;
  export type DataStorage<T> = core.DataStorage<T>;
  export type DataMover = core.DataMover;
  export type KernelBackend = core.KernelBackend;
  export type KernelConfig = core.KernelConfig;
  export type KernelFunc = core.KernelFunc;
  export type NamedAttrMap = core.NamedAttrMap;
  export type GradSaveFunc = core.GradSaveFunc;
}
