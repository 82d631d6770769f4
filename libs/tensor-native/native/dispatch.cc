#include "kernels.h"

#include <string.h>

#include <atomic>
#include <initializer_list>

namespace stagecraft {

#if defined(__x86_64__)
namespace avx512 {
extern const Kernels table;
}
namespace avx2 {
extern const Kernels table;
}
#elif defined(__aarch64__)
namespace neon {
extern const Kernels table;
}
#endif
namespace baseline {
extern const Kernels table;
}

const Kernels* find_kernels(const char* name) {
#if defined(__x86_64__)
  if (strcmp(name, "avx512") == 0) {
    const bool able = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma");
    return able ? &avx512::table : nullptr;
  }
  if (strcmp(name, "avx2") == 0) {
    const bool able = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    return able ? &avx2::table : nullptr;
  }
#elif defined(__aarch64__)
  if (strcmp(name, "neon") == 0) return &neon::table;
#endif
  return strcmp(name, "baseline") == 0 ? &baseline::table : nullptr;
}

namespace {

const Kernels* best_kernels() {
  for (const char* name : {"avx512", "avx2", "neon"})
    if (const Kernels* kernels = find_kernels(name)) return kernels;
  return &baseline::table;
}

std::atomic<const Kernels*> current{best_kernels()};

}  // namespace

const Kernels& kernels() { return *current; }

bool choose_kernels(const char* name) {
  const Kernels* found = find_kernels(name);
  if (found) current = found;
  return found != nullptr;
}

}  // namespace stagecraft
