// What the operating system says about this thread's cores. On other systems than Linux nothing is
// known and nothing is moved.
#pragma once
#include <stdint.h>

namespace stagecraft {

// Cores without hyperthread siblings, within the process's CPU affinity.
int physical_cores();

// The core that the calling thread runs on, or -1.
int current_cpu();

// The system's number of the calling thread.
int thread_id();

// Cores that a thread may run on; opaque, and empty where the system does not say.
struct CpuMask {
  uint64_t bits[16] = {};
};

// Takes the listed cores from those that a thread may run on, if that leaves it any, which moves it
// off them at once. Returns what it was allowed before, to be given back with allow_cpus().
CpuMask forbid_cpus(int thread, const int* cpus, int count);
void allow_cpus(int thread, const CpuMask& mask);

// How long a thread was ready to run and no core was free for it. Made by the thread that it
// measures; may be read by any other.
class WaitMeter {
 public:
  WaitMeter();
  ~WaitMeter();
  WaitMeter(const WaitMeter&) = delete;
  WaitMeter& operator=(const WaitMeter&) = delete;
  // Nanoseconds since the thread began; 0 where the system does not say.
  uint64_t nanoseconds() const;

 private:
  int file_;
};

}  // namespace stagecraft
