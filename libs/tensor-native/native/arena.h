// Scratch memory of the calling thread: a stack that grows to the largest need and is reused.
#pragma once
#include <cstddef>

namespace stagecraft {

// Bytes at a 64-byte boundary, valid until the enclosing Scratch ends.
void* arena_take(size_t bytes);
size_t arena_mark();
void arena_release(size_t mark);
// Bytes held by all threads' arenas.
size_t arena_bytes();
// Gives the pages of the calling thread's arena to the system, unless it is in use.
void arena_drop();

class Scratch {
 public:
  Scratch() : mark_(arena_mark()) {}
  ~Scratch() { arena_release(mark_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  float* floats(size_t n) { return static_cast<float*>(arena_take(n * sizeof(float))); }
  int* ints(size_t n) { return static_cast<int*>(arena_take(n * sizeof(int))); }
  double* doubles(size_t n) { return static_cast<double*>(arena_take(n * sizeof(double))); }

 private:
  size_t mark_;
};

// Zeroed memory: for weights on huge pages where the system has them; for caches in pages that cost
// nothing until they are touched; dense ones, touched nearly everywhere, on huge pages.
void* weight_alloc(size_t bytes);
void* cache_alloc(size_t bytes, bool dense);
void large_free(void* memory);

// Gives the whole pages between to the system; their contents are lost, the addresses stay valid.
void drop_pages(void* memory, size_t bytes);
// Gives what freed blocks still hold to the system, where the allocator can.
void trim_heap();

}  // namespace stagecraft
