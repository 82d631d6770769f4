// Matrix products C = A·B in the manner of BLIS (Van Zee & van de Geijn 2015): B is packed into micro-panels
// of PANEL columns (its NR), and a micro-kernel multiplies MAX_ROWS rows of A (its MR) by one of them over
// BLOCK_K terms (its KC). Every element of C is one chain of fused
// multiply-adds over k in rising order, cut every BLOCK_K terms, whatever the number of rows or
// columns around it: a row's result does not depend on the batch that it is computed in.
#pragma once
#include <cstddef>

#include "../pool.h"
#include "parallel.h"
#include "vec.h"

namespace stagecraft {
namespace ISA {

constexpr int BLOCK_K = 512;
// Work of one task in products of few rows: some 8 µs, of arithmetic or of reading.
constexpr double RUN_FLOPS = 2e6, RUN_BYTES = 262144;
constexpr double WHOLE_BYTES = 262144;  // of a matrix that stays in the L2 cache during a product
// How far ahead of its use a panel is fetched where nothing better is known, in floats: past a 4 KiB
// page, where the hardware's own prefetching stops.
constexpr int PREFETCH = 40 * PANEL;

// What a micro-kernel fetches into the L2 cache while it computes: a cache line or two for every k. Decoding
// reads every weight from memory once, and waits without it.
struct Ahead {
  const float* data;
  size_t step;  // floats per k
};

INLINE Ahead soon(const float* b) { return {b + PREFETCH, PANEL}; }

// Where A[row][k] lies: data[row * row_stride + k * k_stride], one of the strides is 1; or in packed
// panels [panel][k][PANEL], as B is.
struct Operand {
  const float* data;
  size_t row_stride, k_stride;
  size_t panel_size = 0;  // floats, 0: not packed
  const float* at(int row, int k) const {
    if (panel_size == 0) return data + (size_t)row * row_stride + (size_t)k * k_stride;
    return data + (size_t)(row / PANEL) * panel_size + (size_t)k * PANEL + row % PANEL;
  }
};

INLINE Operand rows_of(const float* data, int width) { return {data, (size_t)width, 1}; }
INLINE Operand columns_of(const float* data, int width) { return {data, 1, (size_t)width}; }
INLINE Operand panels_of(const float* packed, int k) { return {packed, 1, PANEL, (size_t)k * PANEL}; }

// C[row][col] = sum + (start ? start[row][col] : 0) + (bias ? bias[col] : 0)
struct Output {
  float* data;
  size_t stride;
  const float* start;
  size_t start_stride;
  const float* bias;
};

INLINE Output plain(float* data, int stride) {
  return {data, (size_t)stride, nullptr, 0, nullptr};
}
INLINE Output with_bias(float* data, int stride, const float* bias) {
  return {data, (size_t)stride, nullptr, 0, bias};
}
INLINE Output accumulate(float* data, int stride) {
  return {data, (size_t)stride, data, (size_t)stride, nullptr};
}

static inline size_t packed_size(int columns, int k) {
  return (size_t)ceil_div(columns, PANEL) * PANEL * (size_t)k;
}

INLINE void finish(vf v, const Output& out, size_t row, int col, int n) {
  float* to = out.data + row * out.stride + col;
  if (n >= W) {
    if (out.start) v += load(out.start + row * out.start_stride + col);
    if (out.bias) v += load(out.bias + col);
    store(to, v);
  } else if (n > 0) {
    if (out.start) v += load_first(out.start + row * out.start_stride + col, n);
    if (out.bias) v += load_first(out.bias + col, n);
    store_first(to, v, n);
  }
}

// The micro-kernel, ROWS × PANEL of C: a is A[row][k], b a packed micro-panel from the same k on.
template <int ROWS, bool UNIT_K>
__attribute__((noinline)) static void micro_kernel(int num_k, const float* a, size_t stride, const float* b,
                                                   const Output& out, int columns, const Ahead& ahead) {
  vf acc[ROWS][COLS];
  const float* next = ahead.data;
  const size_t step = ahead.step;
#pragma GCC unroll 16
  for (int r = 0; r < ROWS; r++) {
#pragma GCC unroll 4
    for (int c = 0; c < COLS; c++) acc[r][c] = vf{};
  }
  for (int k = 0; k < num_k; k++) {
    vf col[COLS];
#pragma GCC unroll 4
    for (int c = 0; c < COLS; c++) {
      col[c] = load(b + c * W);
      if (c * W * sizeof(float) % 64 == 0) __builtin_prefetch(next + c * W, 0, 3);
    }
#pragma GCC unroll 16
    for (int r = 0; r < ROWS; r++) {
      const vf x = splat(a[UNIT_K ? (size_t)r * stride : (size_t)r]);
#pragma GCC unroll 4
      for (int c = 0; c < COLS; c++) acc[r][c] += x * col[c];
    }
    a += UNIT_K ? 1 : stride;
    b += PANEL;
    next += step;
  }
#pragma GCC unroll 16
  for (int r = 0; r < ROWS; r++) {
#pragma GCC unroll 4
    for (int c = 0; c < COLS; c++) finish(acc[r][c], out, (size_t)r, c * W, columns - c * W);
  }
}

// STREAMS independent products of one row each, advanced together: one alone would wait for the
// latency of its own additions. Element for element the same sums as micro_kernel<1>.
struct Stream {
  const float* a;
  const float* b;
  int num_k;
  float* out;
  int columns;
};

template <int STREAMS>
static inline void run_streams(const Stream* s) {
  vf acc[STREAMS][COLS];
  int common = s[0].num_k;
#pragma GCC unroll 4
  for (int i = 0; i < STREAMS; i++) {
    common = imin(common, s[i].num_k);
#pragma GCC unroll 4
    for (int c = 0; c < COLS; c++) acc[i][c] = vf{};
  }
  for (int k = 0; k < common; k++) {
#pragma GCC unroll 4
    for (int i = 0; i < STREAMS; i++) {
      const vf x = splat(s[i].a[k]);
#pragma GCC unroll 4
      for (int c = 0; c < COLS; c++) acc[i][c] += x * load(s[i].b + (size_t)k * PANEL + c * W);
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < STREAMS; i++) {
    for (int k = common; k < s[i].num_k; k++) {
      const vf x = splat(s[i].a[k]);
#pragma GCC unroll 4
      for (int c = 0; c < COLS; c++) acc[i][c] += x * load(s[i].b + (size_t)k * PANEL + c * W);
    }
#pragma GCC unroll 4
    for (int c = 0; c < COLS; c++) finish(acc[i][c], plain(s[i].out, 0), 0, c * W, s[i].columns - c * W);
  }
}

static void run_streams(const Stream* streams, int count) {
  for (; count >= 4; count -= 4, streams += 4) run_streams<4>(streams);
  if (count == 3) run_streams<3>(streams);
  if (count == 2) run_streams<2>(streams);
  if (count == 1) run_streams<1>(streams);
}

using MicroKernel = void (*)(int, const float*, size_t, const float*, const Output&, int, const Ahead&);

template <bool UNIT_K>
static MicroKernel micro_kernel_of(int rows) {
  static const MicroKernel table[] = {
      nullptr,         micro_kernel<1, UNIT_K>, micro_kernel<2, UNIT_K>, micro_kernel<3, UNIT_K>,
      micro_kernel<4, UNIT_K>, micro_kernel<5, UNIT_K>, micro_kernel<6, UNIT_K>,
#if defined(__AVX512F__)
      micro_kernel<7, UNIT_K>, micro_kernel<8, UNIT_K>, micro_kernel<9, UNIT_K>, micro_kernel<10, UNIT_K>,
      micro_kernel<11, UNIT_K>, micro_kernel<12, UNIT_K>, micro_kernel<13, UNIT_K>, micro_kernel<14, UNIT_K>,
#endif
  };
  return table[rows];
}

INLINE void run_micro_kernel(int rows, int num_k, const Operand& a, int row, int k, const float* b,
                     const Output& out, int columns, const Ahead& ahead) {
  if (a.k_stride == 1)
    micro_kernel_of<true>(rows)(num_k, a.at(row, k), a.row_stride, b, out, columns, ahead);
  else
    micro_kernel_of<false>(rows)(num_k, a.at(row, k), a.k_stride, b, out, columns, ahead);
}

INLINE void run_micro_kernel(int rows, int num_k, const Operand& a, int row, int k, const float* b,
                     const Output& out, int columns) {
  run_micro_kernel(rows, num_k, a, row, k, b, out, columns, soon(b));
}

INLINE Output offset(const Output& out, int row, int col) {
  Output at = out;
  at.data += (size_t)row * out.stride + col;
  if (at.start) at.start += (size_t)row * out.start_stride + col;
  if (at.bias) at.bias += col;
  return at;
}

// ---- packing B into micro-panels [panel][k][PANEL], the last panel padded with zeros ----

// B[k][n] = rows[n][k]: `source(n)` is the address of row n of the transposed matrix.
template <class F>
static inline void pack_transposed(float* to, int columns, int k, int panel, const F& source) {
  float* panel_data = to + (size_t)panel * PANEL * (size_t)k;
  for (int group = 0; group < COLS; group++) {
    const int first = panel * PANEL + group * W, present = imin(W, columns - first);
    const float* rows[W];
    for (int lane = 0; lane < W; lane++) rows[lane] = lane < present ? source(first + lane) : nullptr;
    float* out = panel_data + group * W;
    for (int i = 0; i < k; i += W) {
      const int n = imin(W, k - i);
      vf block[W];
      for (int lane = 0; lane < W; lane++)
        block[lane] = lane >= present ? vf{} : n == W ? load(rows[lane] + i) : load_first(rows[lane] + i, n);
      transpose(block);
      for (int j = 0; j < n; j++) store(out + (size_t)(i + j) * PANEL, block[j]);
    }
  }
}

// B[k][n] = source(k)[n] for k0 ≤ k < k1 of the given panel.
template <class F>
static inline void pack_straight(float* to, int columns, int k, int panel, int k0, int k1,
                                 const F& source) {
  const int first = panel * PANEL, n = columns - first;
  float* out = to + ((size_t)panel * (size_t)k + k0) * PANEL;
  for (int i = k0; i < k1; i++, out += PANEL) {
    const float* row = source(i) + first;
    for (int c = 0; c < COLS; c++) {
      const int left = n - c * W;
      store(out + c * W, left >= W ? load(row + c * W) : left > 0 ? load_first(row + c * W, left) : vf{});
    }
  }
}

// Row `row` of a matrix that is packed for aᵀ·matrix: value(i, n) for its columns, zeros behind them.
template <class F>
INLINE void store_packed(float* to, int rows, int row, int width, const F& value) {
  for (int panel = 0; panel * PANEL < width; panel++) {
    float* out = to + ((size_t)panel * (size_t)rows + (size_t)row) * PANEL;
    for (int lane = 0; lane < PANEL; lane += W) {
      const int i = panel * PANEL + lane, n = imin(W, width - i);
      store(out + lane, n > 0 ? value(i, n) : vf{});
    }
  }
}

// The same for a row that lies there.
INLINE void pack_row(float* to, int rows, int row, const float* from, int width) {
  store_packed(to, rows, row, width, [&](int i, int n) { return load_up_to(from + i, n); });
}

// ---- products ----

struct Product {
  int rows, columns, k;
  Operand a;
  const float* packed;
  Output out;
};

struct Cut {
  int tiles, row_blocks, panels, column_blocks;
  int tasks() const { return row_blocks * column_blocks; }
};

constexpr int PANEL_TILES = (PANEL + MAX_ROWS - 1) / MAX_ROWS;

// The first row of micro-tile i. Where A is packed, none reaches from one of its panels into the next,
// and the last ones may be empty.
INLINE int tile_row(const Product& p, const Cut& cut, int i) {
  if (p.a.panel_size == 0) return tile_start(p.rows, cut.tiles, i);
  return imin(p.rows, i / PANEL_TILES * PANEL + tile_start(PANEL, PANEL_TILES, i % PANEL_TILES));
}

// Blocks of some 8 micro-tiles of rows (A stays in the L2 cache), columns cut for balance. How it
// is cut changes no bit of the result.
static inline Cut cut_product(const Product& p, int threads) {
  Cut cut;
  const bool packed = p.a.panel_size > 0;
  cut.tiles = packed ? ceil_div(p.rows, PANEL) * PANEL_TILES : ceil_div(p.rows, MAX_ROWS);
  cut.row_blocks = ceil_div(cut.tiles, packed ? 3 * PANEL_TILES : 8);
  cut.panels = ceil_div(p.columns, PANEL);
  const double flops = 2.0 * p.rows * p.columns * p.k, bytes = 4.0 * p.columns * p.k;
  int target;
  if (packed && 4.0 * imin(p.k, BLOCK_K) * imin(p.rows, p.columns) <= WHOLE_BYTES) {
    // Weight gradients: the narrower matrix stays in the L2 cache, the other one is read once.
    if (p.rows <= p.columns) cut.row_blocks = 1;
    target = p.rows <= p.columns ? ceil_div(cut.panels, 3) : 1;
  } else if (cut.row_blocks > 1) {
    target = ceil_div((int)vmin_double(flops / 4e6, 31) + 1, cut.row_blocks);
  } else {
    // Few rows: long runs of panels, each fetched by the thread that uses it, as many for each thread.
    const double time = vmax_double(flops / RUN_FLOPS, bytes / RUN_BYTES) / threads;
    target = time * threads < 0.5 ? 1 : threads * imax(1, (int)vmin_double(time + 0.5, 16));
  }
  cut.column_blocks = ceil_div(cut.panels, ceil_div(cut.panels, imin(cut.panels, target)));
  return cut;
}

// The part of the next panel that tile t of `tiles` fetches: one alone fetches all of it, otherwise
// the first two fetch a half each.
INLINE Ahead next_panel(const float* next, int num_k, int tiles, int t) {
  if (tiles == 1) return {next, PANEL};
  return {next + (size_t)imin(t, 1) * (size_t)(num_k / 2) * PANEL, t < 2 ? (size_t)PANEL / 2 : 0};
}

static inline void run_block(const Product& p, const Cut& cut, int task, int threads) {
  const int row_block = task / cut.column_blocks, column_block = task % cut.column_blocks;
  const int tile0 = tile_start(cut.tiles, cut.row_blocks, row_block);
  const int tile1 = tile_start(cut.tiles, cut.row_blocks, row_block + 1);
  const int panel0 = tile_start(cut.panels, cut.column_blocks, column_block);
  const int panel1 = tile_start(cut.panels, cut.column_blocks, column_block + 1);
  const size_t panel_size = (size_t)p.k * PANEL;
  for (int k0 = 0; k0 == 0 || k0 < p.k; k0 += BLOCK_K) {  // once for k = 0: zeros
    const int num_k = imin(BLOCK_K, p.k - k0);
    Output out = p.out;
    if (k0 > 0) out = accumulate(out.data, (int)out.stride);
    for (int panel = panel0; panel < panel1; panel++) {
      const float* b = p.packed + (size_t)panel * panel_size + (size_t)k0 * PANEL;
      const float* next = b + panel_size;
      if (panel + 1 == panel1) {  // then the rest of this block, or the block that is likely to follow
        const int first = tile_start(cut.panels, cut.column_blocks, imin(column_block + threads, cut.column_blocks));
        next = k0 + num_k < p.k ? p.packed + (size_t)panel0 * panel_size + (size_t)(k0 + num_k) * PANEL
                                : p.packed + (size_t)first * panel_size;
      }
      const int col = panel * PANEL;
      for (int t = tile0; t < tile1; t++) {
        const int row = tile_row(p, cut, t), rows = tile_row(p, cut, t + 1) - row;
        if (rows == 0) continue;
        const Ahead ahead = next_panel(next, num_k, tile1 - tile0, t - tile0);
        run_micro_kernel(rows, num_k, p.a, row, k0, b, offset(out, row, col), p.columns - col, ahead);
      }
    }
  }
}

constexpr int MAX_PRODUCTS = 12;

// A product's tasks.
struct CutProduct {
  Product product;
  Cut cut;
  int threads;
  int count() const { return cut.tasks(); }
  void operator()(int task) const { run_block(product, cut, task, threads); }
};

class ProductTasks : public TaskList<CutProduct, MAX_PRODUCTS> {
 public:
  void add(const Product& product) { TaskList::add({product, cut_product(product, threads_), threads_}); }

 private:
  const int threads_ = num_active_threads();
};

// Several independent products in one parallel region.
static void multiply(const Product* products, int count) {
  ProductTasks tasks;
  for (int i = 0; i < count; i++) tasks.add(products[i]);
  parallel(tasks);
}

static inline void multiply(const Product& product) { multiply(&product, 1); }

}  // namespace ISA
}  // namespace stagecraft
