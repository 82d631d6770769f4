"""What JAX lowers causal attention by cuDNN to for CUDA, forward and backward, on standard output. No GPU is needed.

    python3 tools/xla/cudnn_golden.py > libs/tensor/src/engines/xla/golden/cudnn-attention.mlir
"""

import math

import jax
import jax.numpy as jnp
from jax._src.cudnn import fused_attention_stablehlo as cudnn

B, T, H, G, D = 2, 16, 4, 2, 8


def lowered():
    # what a machine with cuDNN and a GPU would answer
    cudnn.check_cudnn_version = lambda: 91000
    cudnn.check_compute_capability = lambda capability: True

    def attend(q, k, v):
        out = cudnn.dot_product_attention(q, k, v, scale=1 / math.sqrt(D), mask_type=cudnn.MaskType.CAUSAL)
        return out.astype(jnp.float32).sum()

    shapes = [jax.ShapeDtypeStruct((B, T, heads, D), jnp.bfloat16) for heads in (H, G, G)]
    traced = jax.jit(jax.grad(attend, argnums=(0, 1, 2))).trace(*shapes)
    return traced.lower(lowering_platforms=("cuda",)).as_text()


if __name__ == "__main__":
    print(lowered(), end="")
