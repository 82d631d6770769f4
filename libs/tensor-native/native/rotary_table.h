// The angles of rotary position embedding.
#pragma once

namespace stagecraft {

// cos and sin of position · theta^(−i/half), [limit][2][half]; cached per thread.
const float* rotary_table(float theta, int half, int limit);

}  // namespace stagecraft
