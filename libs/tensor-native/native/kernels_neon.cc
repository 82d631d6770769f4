// Kernels for arm64; compiled with its flags (binding.gyp) and chosen at run time.
#if defined(__aarch64__)
#define ISA neon
#include "isa/table.h"
#endif
