// Multi-tensor AdamW and SGD in place, and the global norm.
#pragma once
#include <cstddef>

#include "../arena.h"
#include "../kernels.h"
#include "parallel.h"
#include "vec.h"

namespace stagecraft {
namespace ISA {

constexpr size_t OPTIMIZER_CHUNK = 16384;

struct Chunks {
  int total;
  int* first;  // first chunk of each tensor, and the total
};

template <class F>
static Chunks make_chunks(Scratch& scratch, int count, const F& size_of) {
  Chunks chunks{0, scratch.ints((size_t)count + 1)};
  for (int i = 0; i < count; i++) {
    chunks.first[i] = chunks.total;
    chunks.total += (int)((size_of(i) + OPTIMIZER_CHUNK - 1) / OPTIMIZER_CHUNK);
  }
  chunks.first[count] = chunks.total;
  return chunks;
}

template <class F, class G>
static void for_chunks(const Chunks& chunks, const F& size_of, const G& body) {
  parallel(chunks.total, [&](int task) {
    int tensor = 0;
    while (task >= chunks.first[tensor + 1]) tensor++;
    const size_t begin = (size_t)(task - chunks.first[tensor]) * OPTIMIZER_CHUNK, size = size_of(tensor);
    body(task, tensor, begin, begin + OPTIMIZER_CHUNK < size ? begin + OPTIMIZER_CHUNK : size);
  });
}

// Lanes add up 64 squares in fp32 at most before they go to fp64.
static double squares_of(const float* x, size_t n) {
  double total = 0;
  for (size_t i = 0; i < n; i += 64 * W) {
    vf part = {};
    const size_t end = i + 64 * W < n ? i + 64 * W : n;
    for (size_t j = i; j < end; j += W) {
      const vf v = load_up_to(x + j, end - j < W ? (int)(end - j) : W);
      part += v * v;
    }
    float lanes[W];
    store(lanes, part);
    for (int j = 0; j < W; j++) total += lanes[j];
  }
  return total;
}

static double sum_of_squares(const float* const* arrays, const size_t* sizes, int count) {
  Scratch scratch;
  const auto size_of = [&](int i) { return sizes[i]; };
  const Chunks chunks = make_chunks(scratch, count, size_of);
  double* parts = scratch.doubles((size_t)chunks.total + 1);
  for_chunks(chunks, size_of, [&](int task, int tensor, size_t begin, size_t end) {
    parts[task] = squares_of(arrays[tensor] + begin, end - begin);
  });
  double total = 0;
  for (int i = 0; i < chunks.total; i++) total += parts[i];
  return total;
}

INLINE vf vsqrt(vf x) {
#if defined(__AVX512F__)
  return (vf)_mm512_sqrt_ps((__m512)x);
#elif defined(__AVX2__)
  return (vf)_mm256_sqrt_ps((__m256)x);
#else
  for (int i = 0; i < W; i++) x[i] = __builtin_sqrtf(x[i]);
  return x;
#endif
}

static void update_chunk(const OptimizerTensor& t, const OptimizerStep& s, size_t begin, size_t end) {
  const float decay = t.decay ? s.weight_decay : 0.f, keep = 1.f - s.learning_rate * decay;
  for (size_t i = begin; i < end; i += W) {
    const int n = end - i < W ? (int)(end - i) : W;
    vf g = load_up_to(t.grad + i, n) * s.grad_scale, p = load_up_to(t.param + i, n);
    vf m = load_up_to(t.first + i, n);
    if (s.adamw) {
      m = m * s.beta1 + g * (1.f - s.beta1);
      const vf v = load_up_to(t.second + i, n) * s.beta2 + g * g * (1.f - s.beta2);
      store_up_to(t.second + i, v, n);
      p = p * keep - m * s.step_size / (vsqrt(v) * s.correction + s.eps);
    } else {
      m = m * s.beta1 + (g + p * decay);
      p = p - m * s.learning_rate;
    }
    store_up_to(t.first + i, m, n);
    store_up_to(t.param + i, p, n);
  }
}

static void optimizer_step(const OptimizerTensor* tensors, int count, const OptimizerStep& step) {
  Scratch scratch;
  const auto size_of = [&](int i) { return tensors[i].size; };
  for_chunks(make_chunks(scratch, count, size_of), size_of, [&](int, int tensor, size_t begin, size_t end) {
    update_chunk(tensors[tensor], step, begin, end);
  });
}

}  // namespace ISA
}  // namespace stagecraft
