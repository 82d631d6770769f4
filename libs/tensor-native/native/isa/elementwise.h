// Activations, sums and exp over flat arrays.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "../kernels.h"
#include "parallel.h"
#include "vec.h"

namespace stagecraft {
namespace ISA {

INLINE vf sigmoid(vf x) { return 1.f / (1.f + exp_between(-x)); }

// GELU with tanh: ½·x·(1 + tanh u) = x·sigmoid(2u), u = √(2/π)·(x + .044715·x³); here 2u and its slope.
constexpr float GELU_SCALE = 1.5957691216057308f, GELU_CUBIC = 0.044715f;

INLINE vf gelu_gate(vf x) { return sigmoid(x * (GELU_SCALE + GELU_SCALE * GELU_CUBIC * (x * x))); }

INLINE vf gelu_of(vf x) { return x * gelu_gate(x); }

INLINE vf gelu_slope(vf x) {
  const vf s = gelu_gate(x);
  return s + x * (s - s * s) * (GELU_SCALE + 3.f * GELU_SCALE * GELU_CUBIC * (x * x));
}

// An activation: its value and its slope, and the slopes of act(g) · u.
struct Silu {
  INLINE vf of(vf x) { return x * sigmoid(x); }
  INLINE vf slope(vf x) {
    const vf s = sigmoid(x);
    return s * (1.f + x * (1.f - s));
  }
  INLINE void slopes(vf g, vf u, vf dy, vf* dgate, vf* dup) {
    const vf s = sigmoid(g);
    *dup = dy * g * s;
    *dgate = dy * u * s * (1.f + g * (1.f - s));
  }
};

template <class A>
struct PlainSlopes {
  INLINE void slopes(vf g, vf u, vf dy, vf* dgate, vf* dup) {
    *dup = dy * A::of(g);
    *dgate = dy * u * A::slope(g);
  }
};

struct Gelu : PlainSlopes<Gelu> {
  INLINE vf of(vf x) { return gelu_of(x); }
  INLINE vf slope(vf x) { return gelu_slope(x); }
};

// Φ(x) by Abramowitz & Stegun 7.1.26 for erf, to 8e-8.
struct GeluErf : PlainSlopes<GeluErf> {
  INLINE vf below(vf x) {
    const vf z = vmax(x, -x) * 0.70710678118654752f, t = 1.f / (1.f + 0.3275911f * z);
    const vf tail = ((((1.061405429f * t - 1.453152027f) * t + 1.421413741f) * t - 0.284496736f) * t + 0.254829592f) *
                    t * exp_between(-z * z) * 0.5f;
    return x < 0.f ? tail : 1.f - tail;
  }
  INLINE vf of(vf x) { return x * below(x); }
  INLINE vf slope(vf x) { return below(x) + x * 0.3989422804014327f * exp_between(-0.5f * x * x); }
};

struct Relu : PlainSlopes<Relu> {
  INLINE vf of(vf x) { return x < 0.f ? vf{} : x; }  // NaN stays NaN
  INLINE vf slope(vf x) { return x > 0.f ? splat(1.f) : vf{}; }
};

// NaN stays NaN: a cap must not make numbers of what diverged.
INLINE vf tanh_of(vf x) { return x == x ? 2.f * sigmoid(2.f * x) - 1.f : x; }

struct Tanh : PlainSlopes<Tanh> {
  INLINE vf of(vf x) { return tanh_of(x); }
  INLINE vf slope(vf x) {
    const vf t = tanh_of(x);
    return 1.f - t * t;
  }
};

// body(the activation's struct)
template <class F>
INLINE void with_activation(Activation activation, const F& body) {
  switch (activation) {
    case SILU: return body(Silu{});
    case GELU: return body(Gelu{});
    case GELU_ERF: return body(GeluErf{});
    case RELU: return body(Relu{});
    default: return body(Tanh{});
  }
}

// body(offset, lanes) over a flat array, in parallel.
template <class F>
static inline void over_lanes(size_t size, const F& body) {
  constexpr size_t CHUNK = 8192;
  parallel((int)((size + CHUNK - 1) / CHUNK), [&](int task) {
    const size_t begin = (size_t)task * CHUNK, end = begin + CHUNK < size ? begin + CHUNK : size;
    for (size_t i = begin; i < end; i += W) body(i, end - i < W ? (int)(end - i) : W);
  });
}

static void gated_forward(Activation activation, const float* gate, const float* up, size_t size, float* y) {
  with_activation(activation, [&](auto act) {
    over_lanes(size, [&](size_t i, int n) {
      store_up_to(y + i, act.of(load_up_to(gate + i, n)) * load_up_to(up + i, n), n);
    });
  });
}

static void gated_backward(Activation activation, const float* gate, const float* up, const float* dy, size_t size,
                           float* dgate, float* dup) {
  with_activation(activation, [&](auto act) {
    over_lanes(size, [&](size_t i, int n) {
      vf dg, du;
      act.slopes(load_up_to(gate + i, n), load_up_to(up + i, n), load_up_to(dy + i, n), &dg, &du);
      store_up_to(dgate + i, dg, n);
      store_up_to(dup + i, du, n);
    });
  });
}

static void activate_forward(Activation activation, const float* x, size_t size, float* y) {
  with_activation(activation, [&](auto act) {
    over_lanes(size, [&](size_t i, int n) { store_up_to(y + i, act.of(load_up_to(x + i, n)), n); });
  });
}

static void activate_backward(Activation activation, const float* x, const float* dy, size_t size, float* dx) {
  with_activation(activation, [&](auto act) {
    over_lanes(size, [&](size_t i, int n) {
      store_up_to(dx + i, load_up_to(dy + i, n) * act.slope(load_up_to(x + i, n)), n);
    });
  });
}

static void add_arrays(const float* a, const float* b, size_t size, float* y) {
  over_lanes(size, [&](size_t i, int n) {
    store_up_to(y + i, load_up_to(a + i, n) + load_up_to(b + i, n), n);
  });
}

static void exp_array(const float* x, size_t size, float* y) {
  over_lanes(size, [&](size_t i, int n) { store_up_to(y + i, vexp(load_up_to(x + i, n)), n); });
}

// ---- embedding ----

// y[i] = from[rows[i]]
INLINE void gather_rows(const float* from, const int32_t* rows, int count, int width, float* y) {
  for (int i = 0; i < count; i++)
    memcpy(y + (size_t)i * width, from + (size_t)rows[i] * width, sizeof(float) * (size_t)width);
}

static void embedding_forward(const int32_t* ids, int rows, const float* table, int width, float* y) {
  parallel_rows(rows, 8u * (size_t)width, [&](int begin, int end) {
    gather_rows(table, ids + begin, end - begin, width, y + (size_t)begin * width);
  });
}

// Gradients of picked rows dy [rows, width], added up where they came from, as tasks: each owns some columns
// and adds in the order of the rows, so that no two tasks meet in one element.
struct ScatterTasks {
  const int32_t* ids;
  int rows;
  const float* dy;
  int vocab, width;
  float* dtable;

  int chunk() const { return imax(2 * W, ceil_div(width, 8 * W) * W); }
  int count() const { return ceil_div(width, chunk()); }
  void operator()(int task) const {
    const int first = task * chunk(), count = imin(chunk(), width - first);
    for (int v = 0; v < vocab; v++) memset(dtable + (size_t)v * width + first, 0, sizeof(float) * (size_t)count);
    for (int r = 0; r < rows; r++) {
      float* to = dtable + (size_t)ids[r] * width + first;
      const float* from = dy + (size_t)r * width + first;
      for_lanes(count, [&](int i, int n) { store_up_to(to + i, load_up_to(to + i, n) + load_up_to(from + i, n), n); });
    }
  }
};

static void embedding_backward(const int32_t* ids, int rows, const float* dy, int vocab, int width,
                               float* dtable) {
  const ScatterTasks tasks{ids, rows, dy, vocab, width, dtable};
  parallel(tasks);
}

}  // namespace ISA
}  // namespace stagecraft
