// Kernels for x86-64 with AVX2 and FMA; compiled with its flags (binding.gyp) and chosen at run time.
#if defined(__AVX2__)
#define ISA avx2
#include "isa/table.h"
#endif
