// Packing weights and activations for products, and the linear map, forward and backward.
#pragma once
#include <cstddef>
#include <cstring>

#include "../arena.h"
#include "../kernels.h"
#include "elementwise.h"
#include "gemm.h"
#include "norm.h"
#include "parallel.h"
#include "vec.h"

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

// A stack to be packed: for x·Wᵀ, B[k = in][n = out], or for dy·W, B[k = out][n = in]. A task is a panel.
struct Packing {
  Stack stack;
  bool back;
  float* to;
  int columns() const { return back ? stack.in : stack.total(); }
  int k() const { return back ? stack.total() : stack.in; }
  int count() const { return ceil_div(columns(), PANEL); }
  void operator()(int panel) const {
    if (back)
      pack_straight(to, columns(), k(), panel, 0, k(), [&](int i) { return stack.row(i); });
    else
      pack_transposed(to, columns(), k(), panel, [&](int n) { return stack.row(n); });
  }
};

using PackTasks = TaskList<Packing, MAX_PRODUCTS>;

// Several packings in one parallel region.
static void pack(const Packing* packings, int count) {
  PackTasks tasks;
  for (int i = 0; i < count; i++) tasks.add(packings[i]);
  parallel(tasks);
}

static void pack_weights(const Stack& stack, float* to) {
  const Packing packing{stack, false, to};
  pack(&packing, 1);
}

static Packing forward_packing(Scratch& scratch, const Stack& stack) {
  return {stack, false, scratch.floats(packed_size(stack.total(), stack.in))};
}

static Packing backward_packing(Scratch& scratch, const Stack& stack) {
  return {stack, true, scratch.floats(packed_size(stack.in, stack.total()))};
}

static float* packed_weights(Scratch& scratch, const Stack& stack) {
  const Packing packing = forward_packing(scratch, stack);
  pack(&packing, 1);
  return packing.to;
}

static float* packed_weights_back(Scratch& scratch, const Stack& stack) {
  const Packing packing = backward_packing(scratch, stack);
  pack(&packing, 1);
  return packing.to;
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

// dW [out, in] = dyᵀ·x, both packed by packed_rows or row by row.
INLINE Product weight_grad(const float* packed_dy, int out, int in, int rows, const float* packed_x, float* dweight) {
  return {out, in, rows, panels_of(packed_dy, rows), packed_x, plain(dweight, in)};
}

// The gradient of a bias: the sums over the rows of a packed matrix, of parts of REDUCE_ROWS first. A task
// is a panel.
struct BiasSum {
  const float* packed;
  int rows, width;
  float* to;
  int count() const { return ceil_div(width, PANEL); }
  void operator()(int panel) const {
    const float* row = packed + (size_t)panel * (size_t)rows * PANEL;
    vf total[COLS] = {};
    for (int r = 0; r < rows; r += REDUCE_ROWS) {
      vf part[COLS] = {};
      for (int i = r; i < imin(rows, r + REDUCE_ROWS); i++, row += PANEL)
        for (int c = 0; c < COLS; c++) part[c] += load(row + c * W);
      for (int c = 0; c < COLS; c++) total[c] += part[c];
    }
    for (int c = 0; c < COLS; c++) {
      const int col = panel * PANEL + c * W;
      if (col < width) store_up_to(to + col, total[c], imin(W, width - col));
    }
  }
};

class BiasTasks : public TaskList<BiasSum, MAX_PRODUCTS> {
 public:
  void add(const float* packed, int rows, int width, float* to) {
    if (to) TaskList::add({packed, rows, width, to});
  }
};

// ---- adapters ----

// The map with the weight that counts: its own, or the sum with its adapter, made as models merge them.
static Linear merged(Scratch& scratch, Linear map, int out, int in) {
  const Adapter& f = map.adapter;
  if (!f.a) return map;
  float* sum = scratch.floats((size_t)out * (size_t)in);
  Scratch local;
  float* b = local.floats((size_t)out * (size_t)f.rank);
  for_lanes(out * f.rank, [&](int i, int n) { store_up_to(b + i, load_up_to(f.b + i, n) * splat(f.scale), n); });
  const float* a = packed_weights_back(local, stack_of(f.a, f.rank, in));
  const bool once = f.rank <= BLOCK_K;  // else the weight comes last
  const Output to{sum, (size_t)in, once ? map.weight : nullptr, (size_t)in, nullptr};
  multiply({out, in, f.rank, rows_of(b, f.rank), a, to});
  if (!once) add_arrays(map.weight, sum, (size_t)out * (size_t)in, sum);
  map.weight = sum;
  return map;
}

// scale · rows · factor, of rows [rows, width] and a factor [width, rank], all packed: with few columns, which
// the gradients of an adapter go through. A task is some rows.
struct ThinProduct {
  const float* packed;
  int rows, width;
  const float* factor;
  int rank;
  float scale;
  float* to;
  int count() const { return ceil_div(rows, MAX_ROWS); }
  void operator()(int task) const {
    const int begin = task * MAX_ROWS, n = imin(MAX_ROWS, rows - begin);
    for (int panel = 0; panel * PANEL < rank; panel++) {
      float* out = to + ((size_t)panel * (size_t)rows + (size_t)begin) * PANEL;
      const float* b = factor + (size_t)panel * (size_t)width * PANEL;
      for (int k = 0; k < width; k += PANEL, b += PANEL * PANEL) {
        const Operand a{packed + (size_t)k * (size_t)rows, PANEL, 1};
        run_micro_kernel(n, imin(PANEL, width - k), a, begin, 0, b, k > 0 ? accumulate(out, PANEL) : plain(out, PANEL),
                         PANEL);
      }
      for (int i = 0; i < n * PANEL; i += W) store(out + i, load(out + i) * splat(scale));
    }
  }
};

// The weight gradients of a block's maps: dW = dyᵀ·x where it is asked for; of an adapter, without making dW,
// dA = scale·(dy·B)ᵀ·x and dB = scale·dyᵀ·(x·Aᵀ).
class MapGrads {
 public:
  explicit MapGrads(Scratch& scratch) : scratch_(scratch) {}

  // dy [rows, out] and x [rows, in], packed by packed_rows or row by row.
  void add(const Linear& map, const LinearGrad& grad, const float* dy, int out, int in, int rows, const float* x) {
    if (grad.weight) products_.add(weight_grad(dy, out, in, rows, x, grad.weight));
    biases_.add(dy, rows, out, grad.bias);
    if (!grad.a) return;
    const Adapter& f = map.adapter;
    const float* dy_b = thin(dy, rows, out, backward_packing(scratch_, stack_of(f.b, out, f.rank)), f);
    const float* x_a = thin(x, rows, in, forward_packing(scratch_, stack_of(f.a, f.rank, in)), f);
    products_.add(weight_grad(dy_b, f.rank, in, rows, x, grad.a));
    products_.add(weight_grad(dy, out, f.rank, rows, x_a, grad.b));
  }

  void run() const {
    parallel(factors_);
    parallel(thin_);
    parallel_sections(products_, biases_);
  }

  // All there is to do where no map has an adapter.
  const ProductTasks& products() const { return products_; }
  const BiasTasks& biases() const { return biases_; }

 private:
  Scratch& scratch_;
  PackTasks factors_;
  TaskList<ThinProduct, MAX_PRODUCTS> thin_;
  ProductTasks products_;
  BiasTasks biases_;

  const float* thin(const float* packed, int rows, int width, const Packing& factor, const Adapter& f) {
    float* to = scratch_.floats(packed_size(f.rank, rows));
    factors_.add(factor);
    thin_.add({packed, rows, width, factor.to, f.rank, f.scale, to});
    return to;
  }
};

static void linear_forward(const float* x, int rows, int in, int out, Linear map, float* y) {
  Scratch scratch;
  const Linear linear = merged(scratch, map, out, in);
  const float* packed = packed_weights(scratch, stack_of(linear.weight, out, in));
  multiply({rows, out, in, rows_of(x, in), packed, with_bias(y, out, linear.bias)});
}

static void linear_backward(const float* x, int rows, int in, int out, Linear map, const float* dy, float* dx,
                            LinearGrad grad) {
  Scratch scratch;
  const Linear linear = merged(scratch, map, out, in);
  const Packing packed[] = {backward_packing(scratch, stack_of(linear.weight, out, in)),
                            backward_packing(scratch, stack_of(x, rows, in)),
                            backward_packing(scratch, stack_of(dy, rows, out))};
  pack(packed, 3);
  multiply({rows, in, out, rows_of(dy, out), packed[0].to, plain(dx, in)});
  MapGrads grads(scratch);
  grads.add(map, grad, packed[2].to, out, in, rows, packed[1].to);
  grads.run();
}

}  // namespace ISA
}  // namespace stagecraft
