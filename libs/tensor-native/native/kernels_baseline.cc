// Kernels for any machine; compiled with its flags (binding.gyp) and chosen at run time.
#if 1
#define ISA baseline
#include "isa/table.h"
#endif
