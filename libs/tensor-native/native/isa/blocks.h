// The two blocks of a decoder layer and the plain linear map, forward and backward.
#pragma once
#include "attention.h"

namespace stagecraft {
namespace ISA {

// Several weight matrices [out_i, in] read as one with Σ out_i rows.
struct Stack {
  const float* parts[3];
  int rows[3];
  int count, in;

  int total() const {
    int n = 0;
    for (int i = 0; i < count; i++) n += rows[i];
    return n;
  }
  const float* row(int n) const {
    int i = 0;
    while (n >= rows[i]) n -= rows[i++];
    return parts[i] + (size_t)n * in;
  }
};

INLINE Stack stack_of(const float* weight, int out, int in) { return {{weight}, {out}, 1, in}; }

// Packs for x·Wᵀ: B[k = in][n = out].
static void pack_weights(const Stack& stack, float* to) {
  const int columns = stack.total();
  parallel(ceil_div(columns, PANEL), [&](int panel) {
    pack_transposed(to, columns, stack.in, panel, [&](int n) { return stack.row(n); });
  });
}

static float* packed_weights(Scratch& scratch, const Stack& stack) {
  float* to = scratch.floats(packed_size(stack.total(), stack.in));
  pack_weights(stack, to);
  return to;
}

// Packs for dy·W: B[k = out][n = in].
static float* packed_weights_back(Scratch& scratch, const Stack& stack) {
  const int k = stack.total();
  float* to = scratch.floats(packed_size(stack.in, k));
  parallel(ceil_div(stack.in, PANEL), [&](int panel) {
    pack_straight(to, stack.in, k, panel, 0, k, [&](int i) { return stack.row(i); });
  });
  return to;
}

// Packs a matrix of activations [rows, width] for aᵀ·matrix: B[k = row][n = column].
static float* packed_rows(Scratch& scratch, const float* matrix, int rows, int width) {
  return packed_weights_back(scratch, stack_of(matrix, rows, width));
}

// The biases of a stack as one vector, or null if there are none.
static const float* joined_bias(Scratch& scratch, const float* const* biases, const int* sizes, int count) {
  bool any = false;
  int total = 0;
  for (int i = 0; i < count; i++) {
    any = any || biases[i];
    total += sizes[i];
  }
  if (!any) return nullptr;
  float* to = scratch.floats((size_t)total);
  for (int i = 0, at = 0; i < count; at += sizes[i++]) {
    if (biases[i])
      memcpy(to + at, biases[i], sizeof(float) * (size_t)sizes[i]);
    else
      memset(to + at, 0, sizeof(float) * (size_t)sizes[i]);
  }
  return to;
}

// dW [out, in] = dyᵀ·x for columns [first, first + out) of dy; x packed by packed_rows.
INLINE Product weight_grad(const float* dy, size_t dy_stride, int first, int out, int in, int rows,
                           const float* packed_x, float* dweight) {
  return {out, in, rows, {dy + first, 1, dy_stride}, packed_x, plain(dweight, in)};
}

static void linear_forward(const float* x, int rows, int in, int out, Linear linear, float* y) {
  Scratch scratch;
  const float* packed = packed_weights(scratch, stack_of(linear.weight, out, in));
  multiply({rows, out, in, rows_of(x, in), packed, with_bias(y, out, linear.bias)});
}

static void linear_backward(const float* x, int rows, int in, int out, const float* weight, const float* dy,
                            float* dx, LinearGrad grad) {
  Scratch scratch;
  const float* packed = packed_weights_back(scratch, stack_of(weight, out, in));
  const float* packed_x = packed_rows(scratch, x, rows, in);
  const Product products[] = {
      {rows, in, out, rows_of(dy, out), packed, plain(dx, in)},
      weight_grad(dy, (size_t)out, 0, out, in, rows, packed_x, grad.weight),
  };
  multiply(products, 2);
  if (grad.bias) sum_rows(dy, rows, out, (size_t)out, grad.bias);
}

// ---- attention block ----

static Attention inner_attention(const AttentionBlock& p) {
  const int q = p.heads.q_width(), kv = p.heads.kv_width();
  const size_t stride = (size_t)p.heads.qkv_width();
  return {p.layout, p.heads, p.qkv, p.qkv + q, p.qkv + q + kv, stride, stride, p.mixed, p.lse};
}

static Stack qkv_stack(const AttentionBlock& p) {
  return {{p.q.weight, p.k.weight, p.v.weight},
          {p.heads.q_width(), p.heads.kv_width(), p.heads.kv_width()}, 3, p.width};
}

static void rotate_qk(const AttentionBlock& p, float* qkv, bool inverse) {
  if (p.rope_theta == 0) return;
  const int rows = p.layout.batch * p.layout.length;
  rotate_rows(qkv, rows, (size_t)p.heads.qkv_width(), p.heads.count + p.heads.kv_count, p.heads.size,
              p.layout.positions, p.layout.length, p.rope_theta, inverse, qkv);
}

static void attention_block(const AttentionBlock& p) {
  Scratch scratch;
  const int rows = p.layout.batch * p.layout.length, width = p.width, total = p.heads.qkv_width();
  float* normal = scratch.floats((size_t)rows * (size_t)width);
  norm_rows(p.x, rows, width, p.norm, normal, p.stats);
  const Stack stack = qkv_stack(p);
  const float* biases[] = {p.q.bias, p.k.bias, p.v.bias};
  multiply({rows, total, width, rows_of(normal, width), packed_weights(scratch, stack),
            with_bias(p.qkv, total, joined_bias(scratch, biases, stack.rows, 3))});
  rotate_qk(p, p.qkv, false);
  attention_forward(inner_attention(p));
  const float* packed_o = packed_weights(scratch, stack_of(p.o.weight, width, p.heads.q_width()));
  multiply({rows, width, p.heads.q_width(), rows_of(p.mixed, p.heads.q_width()), packed_o,
            Output{p.y, (size_t)width, p.x, (size_t)width, p.o.bias}});
}

static void attention_block_grad(const AttentionBlock& p, const AttentionBlockGrad& g) {
  Scratch scratch;
  const int rows = p.layout.batch * p.layout.length, width = p.width;
  const int q = p.heads.q_width(), kv = p.heads.kv_width(), total = p.heads.qkv_width();
  float* dmixed = scratch.floats((size_t)rows * (size_t)q);
  float* dqkv = scratch.floats((size_t)rows * (size_t)total);
  const Product output[] = {
      {rows, q, width, rows_of(g.dy, width), packed_weights_back(scratch, stack_of(p.o.weight, width, q)),
       plain(dmixed, q)},
      weight_grad(g.dy, (size_t)width, 0, width, q, rows, packed_rows(scratch, p.mixed, rows, q), g.o.weight),
  };
  multiply(output, 2);
  if (g.o.bias) sum_rows(g.dy, rows, width, (size_t)width, g.o.bias);
  attention_backward(inner_attention(p), {dmixed, dqkv, dqkv + q, dqkv + q + kv});
  rotate_qk(p, dqkv, true);
  float* normal = scratch.floats((size_t)rows * (size_t)width);
  float* dnormal = scratch.floats((size_t)rows * (size_t)width);
  norm_rows(p.x, rows, width, p.norm, normal, p.stats, true);
  const float* packed_x = packed_rows(scratch, normal, rows, width);
  const Product input[] = {
      {rows, width, total, rows_of(dqkv, total), packed_weights_back(scratch, qkv_stack(p)), plain(dnormal, width)},
      weight_grad(dqkv, (size_t)total, 0, q, width, rows, packed_x, g.q.weight),
      weight_grad(dqkv, (size_t)total, q, kv, width, rows, packed_x, g.k.weight),
      weight_grad(dqkv, (size_t)total, q + kv, kv, width, rows, packed_x, g.v.weight),
  };
  multiply(input, 4);
  if (g.q.bias) sum_rows(dqkv, rows, q, (size_t)total, g.q.bias);
  if (g.k.bias) sum_rows(dqkv + q, rows, kv, (size_t)total, g.k.bias);
  if (g.v.bias) sum_rows(dqkv + q + kv, rows, kv, (size_t)total, g.v.bias);
  norm_grad_rows(p.x, rows, width, p.norm, p.stats, dnormal, g.dy, g.dx, g.norm);
}

// ---- MLP block ----

static Stack mlp_stack(const MlpBlock& p) {
  if (!p.gated) return stack_of(p.up.weight, p.inner, p.width);
  return {{p.gate.weight, p.up.weight}, {p.inner, p.inner}, 2, p.width};
}

INLINE void activate_row(const float* hidden, int inner, bool gated, float* to) {
  for_lanes(inner, [&](int i, int n) {
    const vf a = load_up_to(hidden + i, n);
    store_up_to(to + i, gated ? a * sigmoid(a) * load_up_to(hidden + inner + i, n) : gelu_of(a), n);
  });
}

// The activation and, in place of dactive's row, the gradient of the hidden row.
INLINE void activate_row_grad(const float* hidden, const float* dactive, int inner, bool gated,
                              float* active, float* dhidden) {
  for_lanes(inner, [&](int i, int n) {
    const vf a = load_up_to(hidden + i, n), dy = load_up_to(dactive + i, n);
    if (gated) {
      const vf u = load_up_to(hidden + inner + i, n);
      vf dg, du;
      swiglu_slopes(a, u, dy, &dg, &du);
      store_up_to(active + i, a * sigmoid(a) * u, n);
      store_up_to(dhidden + i, dg, n);
      store_up_to(dhidden + inner + i, du, n);
    } else {
      store_up_to(active + i, gelu_of(a), n);
      store_up_to(dhidden + i, dy * gelu_slope(a), n);
    }
  });
}

static void mlp_block(const MlpBlock& p) {
  Scratch scratch;
  const int rows = p.rows, width = p.width, inner = p.inner, total = p.gated ? 2 * inner : inner;
  float* normal = scratch.floats((size_t)rows * (size_t)width);
  float* active = scratch.floats((size_t)rows * (size_t)inner);
  norm_rows(p.x, rows, width, p.norm, normal, p.stats);
  const Stack stack = mlp_stack(p);
  const float* biases[] = {p.gated ? p.gate.bias : p.up.bias, p.up.bias};
  multiply({rows, total, width, rows_of(normal, width), packed_weights(scratch, stack),
            with_bias(p.hidden, total, joined_bias(scratch, biases, stack.rows, stack.count))});
  parallel_rows(rows, 4u * (size_t)(total + inner), [&](int begin, int end) {
    for (int r = begin; r < end; r++)
      activate_row(p.hidden + (size_t)r * total, inner, p.gated, active + (size_t)r * inner);
  });
  multiply({rows, width, inner, rows_of(active, inner),
            packed_weights(scratch, stack_of(p.down.weight, width, inner)),
            Output{p.y, (size_t)width, p.x, (size_t)width, p.down.bias}});
}

static void mlp_block_grad(const MlpBlock& p, const MlpBlockGrad& g) {
  Scratch scratch;
  const int rows = p.rows, width = p.width, inner = p.inner, total = p.gated ? 2 * inner : inner;
  float* dactive = scratch.floats((size_t)rows * (size_t)inner);
  multiply({rows, inner, width, rows_of(g.dy, width),
            packed_weights_back(scratch, stack_of(p.down.weight, width, inner)), plain(dactive, inner)});
  float* active = scratch.floats((size_t)rows * (size_t)inner);
  float* dhidden = scratch.floats((size_t)rows * (size_t)total);
  parallel_rows(rows, 8u * (size_t)(total + inner), [&](int begin, int end) {
    for (int r = begin; r < end; r++)
      activate_row_grad(p.hidden + (size_t)r * total, dactive + (size_t)r * inner, inner, p.gated,
                        active + (size_t)r * inner, dhidden + (size_t)r * total);
  });
  float* normal = scratch.floats((size_t)rows * (size_t)width);
  float* dnormal = scratch.floats((size_t)rows * (size_t)width);
  norm_rows(p.x, rows, width, p.norm, normal, p.stats, true);
  const float* packed_x = packed_rows(scratch, normal, rows, width);
  const Product products[] = {
      {rows, width, total, rows_of(dhidden, total), packed_weights_back(scratch, mlp_stack(p)), plain(dnormal, width)},
      weight_grad(g.dy, (size_t)width, 0, width, inner, rows, packed_rows(scratch, active, rows, inner), g.down.weight),
      weight_grad(dhidden, (size_t)total, total - inner, inner, width, rows, packed_x, g.up.weight),
      weight_grad(dhidden, (size_t)total, 0, inner, width, rows, packed_x, g.gate.weight),
  };
  multiply(products, p.gated ? 4 : 3);
  if (g.down.bias) sum_rows(g.dy, rows, width, (size_t)width, g.down.bias);
  if (g.up.bias) sum_rows(dhidden + (total - inner), rows, inner, (size_t)total, g.up.bias);
  if (p.gated && g.gate.bias) sum_rows(dhidden, rows, inner, (size_t)total, g.gate.bias);
  norm_grad_rows(p.x, rows, width, p.norm, p.stats, dnormal, g.dy, g.dx, g.norm);
}

}  // namespace ISA
}  // namespace stagecraft
