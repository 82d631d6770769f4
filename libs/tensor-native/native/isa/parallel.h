// Parallel loops over the pool. How work is cut depends on shapes only, never on the number of
// threads, so results are bit-identical for any number of them.
#pragma once
#include "../pool.h"
#include "vec.h"

namespace stagecraft {
namespace ISA {

// Part i of `rows` cut into `tiles` parts as equal as they go starts here.
INLINE int tile_start(int rows, int tiles, int i) { return (int)((int64_t)rows * i / tiles); }

template <class F>
inline void parallel(int count, const F& body) {
  run_tasks(
      count, [](void* context, int task) { (*static_cast<const F*>(context))(task); },
      const_cast<void*>(static_cast<const void*>(&body)));
}

// body(begin, end) over ranges of rows that move about 64 KiB each.
template <class F>
inline void parallel_rows(int rows, size_t bytes_per_row, const F& body) {
  const int chunk = imax(1, (int)(65536 / (bytes_per_row + 1)));
  parallel(ceil_div(rows, chunk), [&](int task) {
    body(task * chunk, imin(rows, (task + 1) * chunk));
  });
}

// Independent kinds of tasks for one region: `count` of them, run by body(task).
template <class Body>
struct Section {
  int count;
  const Body& body;
};

template <class Body>
inline Section<Body> section(int count, const Body& body) {
  return {count, body};
}

// All sections in one region. Every thread begins with its share of each, in their order: it finds what
// it wrote for the same share of other regions in its cache.
template <class... Bodies>
inline void parallel_sections(const Section<Bodies>&... sections) {
  const int threads = num_active_threads();
  const int total = (0 + ... + sections.count);
  parallel(total, [&](int task) {
    // The share that the task lies in, and its place there.
    int share = (int)((int64_t)task * threads / imax(1, total));
    const auto start = [&](int i) { return (0 + ... + tile_start(sections.count, threads, i)); };
    while (task < start(share)) share--;
    while (task >= start(share + 1)) share++;
    int at = task - start(share);
    const auto run = [&](const auto& part) {
      const int first = tile_start(part.count, threads, share), count = tile_start(part.count, threads, share + 1) - first;
      if (at >= 0 && at < count) part.body(first + at);
      at -= count;
    };
    (run(sections), ...);
  });
}

}  // namespace ISA
}  // namespace stagecraft
