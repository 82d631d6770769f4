// Kernels for x86-64 with AVX-512; compiled with its flags (binding.gyp) and chosen at run time.
#if defined(__AVX512F__)
#define ISA avx512
#include "isa/table.h"
#endif
