#include "cpus.h"

#include <set>
#include <string>
#include <thread>
#include <utility>
#ifdef __linux__
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace stagecraft {

#ifdef __linux__

namespace {

int topology_id(int cpu, const char* name, int fallback) {
  const std::string path = "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/" + name;
  FILE* file = fopen(path.c_str(), "r");
  if (!file) return fallback;
  int id;
  if (fscanf(file, "%d", &id) != 1) id = fallback;
  fclose(file);
  return id;
}

}  // namespace

int physical_cores() {
  cpu_set_t allowed;
  std::set<std::pair<int, int>> cores;
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) {
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
      if (!CPU_ISSET(cpu, &allowed)) continue;
      cores.insert({topology_id(cpu, "physical_package_id", 0), topology_id(cpu, "core_id", cpu)});
    }
  }
  return cores.empty() ? 1 : int(cores.size());
}

int current_cpu() { return sched_getcpu(); }

int thread_id() { return int(syscall(SYS_gettid)); }

static_assert(sizeof(cpu_set_t) == sizeof(CpuMask), "CpuMask holds a cpu_set_t");

CpuMask forbid_cpus(int thread, const int* cpus, int count) {
  cpu_set_t allowed, left;
  CpuMask before;
  if (sched_getaffinity(thread, sizeof allowed, &allowed) != 0) return before;
  memcpy(before.bits, &allowed, sizeof before.bits);
  left = allowed;
  for (int i = 0; i < count; i++)
    if (cpus[i] >= 0 && cpus[i] < CPU_SETSIZE) CPU_CLR(cpus[i], &left);
  if (CPU_COUNT(&left) > 0) sched_setaffinity(thread, sizeof left, &left);
  return before;
}

void allow_cpus(int thread, const CpuMask& mask) {
  cpu_set_t allowed;
  memcpy(&allowed, mask.bits, sizeof allowed);
  if (CPU_COUNT(&allowed) > 0) sched_setaffinity(thread, sizeof allowed, &allowed);
}

WaitMeter::WaitMeter() : file_(open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC)) {}

WaitMeter::~WaitMeter() {
  if (file_ >= 0) close(file_);
}

uint64_t WaitMeter::nanoseconds() const {
  char text[96];
  const ssize_t size = file_ < 0 ? -1 : pread(file_, text, sizeof text - 1, 0);
  if (size <= 0) return 0;
  text[size] = 0;
  unsigned long long running = 0, waiting = 0;
  return sscanf(text, "%llu %llu", &running, &waiting) == 2 ? waiting : 0;
}

#else

int physical_cores() {
  const int count = int(std::thread::hardware_concurrency());
  return count > 0 ? count : 1;
}

int current_cpu() { return -1; }
int thread_id() { return 0; }
CpuMask forbid_cpus(int, const int*, int) { return {}; }
void allow_cpus(int, const CpuMask&) {}
WaitMeter::WaitMeter() : file_(-1) {}
WaitMeter::~WaitMeter() {}
uint64_t WaitMeter::nanoseconds() const { return 0; }

#endif

}  // namespace stagecraft
