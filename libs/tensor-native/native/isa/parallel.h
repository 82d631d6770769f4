// Parallel loops over the pool. What a task computes, and in which order it adds, depends on shapes only;
// how many tasks a loop is cut into, and who runs them in which order, may depend on the number of threads.
// So results are bit-identical for any number of them.
#pragma once
#include <cstddef>
#include <cstdint>

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

// Tasks are objects with count() and operator()(task).
template <class Tasks>
inline void parallel(const Tasks& tasks) {
  parallel(tasks.count(), tasks);
}

// `size` tasks run by body(task).
template <class Body>
struct Section {
  int size;
  const Body& body;
  int count() const { return size; }
  void operator()(int task) const { body(task); }
};

template <class Body>
inline Section<Body> section(int size, const Body& body) {
  return {size, body};
}

// The tasks of up to MOST items, one item's after the other's.
template <class Item, int MOST>
class TaskList {
 public:
  void add(const Item& item) {
    items_[size_] = item;
    first_[size_ + 1] = first_[size_] + item.count();
    size_++;
  }
  int count() const { return first_[size_]; }
  void operator()(int task) const {
    int i = 0;
    while (task >= first_[i + 1]) i++;
    items_[i](task - first_[i]);
  }

 private:
  Item items_[MOST];
  int first_[MOST + 1] = {0}, size_ = 0;
};

// Independent kinds of tasks in one region. Every thread begins with its share of each, in their order: it
// finds what it wrote for the same share of other regions in its cache.
template <class... Kinds>
inline void parallel_sections(const Kinds&... kinds) {
  const int threads = num_active_threads();
  const int total = (0 + ... + kinds.count());
  parallel(total, [&](int task) {
    // The share that the task lies in, and its place there.
    int share = (int)((int64_t)task * threads / imax(1, total));
    const auto start = [&](int i) { return (0 + ... + tile_start(kinds.count(), threads, i)); };
    while (task < start(share)) share--;
    while (task >= start(share + 1)) share++;
    int at = task - start(share);
    const auto run = [&](const auto& kind) {
      const int first = tile_start(kind.count(), threads, share);
      const int size = tile_start(kind.count(), threads, share + 1) - first;
      if (at >= 0 && at < size) kind(first + at);
      at -= size;
    };
    (run(kinds), ...);
  });
}

}  // namespace ISA
}  // namespace stagecraft
