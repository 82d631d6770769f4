// How many threads a process should use on a machine that it may share. As in congestion control:
// half of them when they keep waiting for a core, twice as many after a while without.
#pragma once
#include <algorithm>
#include <chrono>

namespace stagecraft {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

class Share {
 public:
  int threads(int wanted) const { return std::min(wanted, allowed_); }
  bool due(Clock::time_point now) const { return now - looked_at_ >= PERIOD; }

  // `waited` is the longest time that one of the threads waited for a core since the last look.
  void look(Clock::time_point now, Clock::duration waited, int wanted) {
    const Clock::duration passed = now - looked_at_;
    looked_at_ = now;
    if (passed > MEMORY) return;  // the process was idle: that says nothing
    const double part = double(passed.count()) / double(Clock::duration(MEMORY).count());
    waiting_ += part * (double(waited.count()) / double(passed.count()) - waiting_);
    if (waiting_ > TOO_MUCH) {
      lower(now, wanted);
    } else if (allowed_ < wanted && now > closed_until_) {
      allowed_ *= 2;
      waiting_ = 0;
      raised_at_ = now;
    } else if (allowed_ >= wanted && now - raised_at_ > MAX_PENALTY) {
      penalty_ = MIN_PENALTY;
    }
  }

 private:
  static constexpr milliseconds PERIOD{4}, MEMORY{256};  // between looks; of the average over them
  static constexpr milliseconds MIN_PENALTY{256}, MAX_PENALTY{2048};
  // Share of the time that a thread waited; one that runs the other 60 % is still a gain.
  static constexpr double TOO_MUCH = 0.4;
  int allowed_ = 1 << 20;
  double waiting_ = 0;
  milliseconds penalty_ = MIN_PENALTY;
  Clock::time_point looked_at_{}, closed_until_{}, raised_at_{};

  void lower(Clock::time_point now, int wanted) {
    allowed_ = std::max(1, std::min(allowed_, wanted) / 2);
    waiting_ = 0;
    closed_until_ = now + penalty_;
    penalty_ = std::min(2 * penalty_, MAX_PENALTY);
  }
};

}  // namespace stagecraft
