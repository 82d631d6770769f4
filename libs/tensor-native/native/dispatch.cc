#include <string.h>

#include <initializer_list>

#include "kernels.h"

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

const Kernels* best_kernels() {
  for (const char* name : {"avx512", "avx2", "neon"})
    if (const Kernels* kernels = find_kernels(name)) return kernels;
  return &baseline::table;
}

}  // namespace stagecraft
