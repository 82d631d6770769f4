/** The only door to TensorFlow.js. `@tensorflow/tfjs` is needed: tfjs-core alone has no gradients. */
export * as tf from "@tensorflow/tfjs";
