// The angles of rotary position embedding.
#pragma once

#include "kernels.h"

namespace stagecraft {

// scale · cos and scale · sin of position · frequency, [limit][2][pairs]; cached per thread.
const float* rotary_table(const Rope& rope, int limit);

}  // namespace stagecraft
