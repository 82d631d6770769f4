/** Rows, outputs and inputs of the products by which sgemm rates are measured. */
export const SHAPES = [
  [1024, 1536, 384],
  [1024, 384, 1536],
  [1024, 4096, 384],
  [1024, 1024, 1024],
];
