#include "arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/mman.h>
#include <unistd.h>
#endif
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <atomic>
#include <new>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size)
#define ASAN_UNPOISON_MEMORY_REGION(address, size)
#endif

namespace stagecraft {
namespace {

constexpr size_t ALIGN = 64, HUGE_PAGE = size_t(2) << 20, FIRST_BLOCK = size_t(1) << 20;
std::atomic<size_t> total_bytes{0};

size_t page_size() {
#ifdef __linux__
  return size_t(sysconf(_SC_PAGESIZE));
#else
  return 16384;
#endif
}

void* raw_alloc(size_t bytes) {
  const size_t align = bytes >= HUGE_PAGE ? HUGE_PAGE : ALIGN;
  void* memory = nullptr;
  if (posix_memalign(&memory, align, bytes) != 0) throw std::bad_alloc();
#ifdef __linux__
  if (bytes >= HUGE_PAGE) madvise(memory, bytes, MADV_HUGEPAGE);
#endif
  return memory;
}

struct Block {
  char* data;
  size_t size;
};

// Offsets count through all blocks. When the stack empties, several blocks become one.
struct Arena {
  std::vector<Block> blocks;
  size_t current = 0, used = 0, below = 0;  // block index, bytes used in it, bytes in blocks before
  size_t peak = 0;

  ~Arena() { free_all(); }

  void free_all() {
    for (Block& block : blocks) {
      total_bytes -= block.size;
      ASAN_UNPOISON_MEMORY_REGION(block.data, block.size);
      free(block.data);
    }
    blocks.clear();
    current = used = below = 0;
  }

  void add_block(size_t size) {
    blocks.push_back({static_cast<char*>(raw_alloc(size)), size});
    total_bytes += size;
  }

  void* take(size_t bytes) {
    const size_t wanted = bytes;
    bytes = (bytes + ALIGN - 1) / ALIGN * ALIGN + ALIGN;  // a line between, which sanitizers watch
    if (blocks.empty()) add_block(bytes > FIRST_BLOCK ? bytes : FIRST_BLOCK);
    while (used + bytes > blocks[current].size) {
      below += blocks[current].size;
      current++;
      used = 0;
      if (current == blocks.size()) add_block(bytes > below ? bytes : below);
    }
    char* memory = blocks[current].data + used;
    used += bytes;
    if (below + used > peak) peak = below + used;
    ASAN_UNPOISON_MEMORY_REGION(memory, wanted);
    ASAN_POISON_MEMORY_REGION(memory + wanted, bytes - wanted);
    (void)wanted;
    return memory;
  }

  void release(size_t mark) {
    while (current > 0 && mark < below) below -= blocks[--current].size;
    used = mark - below;
    if (mark == 0 && blocks.size() > 1) {
      free_all();
      add_block(peak);
    }
  }
};

Arena& arena() {
  static thread_local Arena instance;
  return instance;
}

}  // namespace

void* arena_take(size_t bytes) { return arena().take(bytes); }
size_t arena_mark() { return arena().below + arena().used; }
void arena_release(size_t mark) { arena().release(mark); }
size_t arena_bytes() { return total_bytes; }

void arena_drop() {
  if (arena_mark() != 0) return;
  for (const Block& block : arena().blocks) drop_pages(block.data, block.size);
}

// Not calloc: once the allocator reuses a freed block, that writes zeros into every page of it.
void* cache_alloc(size_t bytes, bool dense) {
  void* memory = nullptr;
  const size_t page = page_size(), align = dense && bytes >= HUGE_PAGE ? HUGE_PAGE : page;
  bytes = (bytes + page - 1) / page * page;
  if (posix_memalign(&memory, align, bytes) != 0) throw std::bad_alloc();
#ifdef __linux__
  madvise(memory, bytes, MADV_DONTNEED);  // zeros at the next touch
  if (align == HUGE_PAGE) madvise(memory, bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
#else
  memset(memory, 0, bytes);
#endif
  return memory;
}

void* weight_alloc(size_t bytes) {
  void* memory = raw_alloc(bytes);
  memset(memory, 0, bytes);
  return memory;
}

void large_free(void* memory) { free(memory); }

void drop_pages(void* memory, size_t bytes) {
#ifdef __linux__
  const uintptr_t page = page_size();
  const uintptr_t begin = (uintptr_t(memory) + page - 1) / page * page;
  const uintptr_t end = (uintptr_t(memory) + bytes) / page * page;
  if (begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
#else
  (void)memory;
  (void)bytes;
#endif
}

void trim_heap() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

}  // namespace stagecraft
