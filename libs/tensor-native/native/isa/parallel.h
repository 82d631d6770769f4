// Parallel loops over the pool. How work is cut depends on shapes only, never on the number of
// threads, so results are bit-identical for any number of them.
#pragma once
#include "../pool.h"
#include "vec.h"

namespace stagecraft {
namespace ISA {

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

}  // namespace ISA
}  // namespace stagecraft
