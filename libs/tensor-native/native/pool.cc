#include "pool.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#ifdef __linux__
#include <sched.h>
#include <stdio.h>
#endif

namespace stagecraft {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto SPIN_TIME = std::chrono::microseconds(200);  // covers the JavaScript between kernels
constexpr int MAX_TASKS = 1 << 20;

inline void pause_cpu() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// A ticket packs region number, task count and next task, so that claiming a task is one compare
// and swap, and a worker that wakes late can never touch a region that is over.
struct Ticket {
  uint64_t bits;
  uint32_t region() const { return uint32_t(bits >> 40); }
  int count() const { return int(bits >> 20) & (MAX_TASKS - 1); }
  int next() const { return int(bits) & (MAX_TASKS - 1); }
  static Ticket make(uint32_t region, int count) {
    return {uint64_t(region & 0xffffff) << 40 | uint64_t(count) << 20};
  }
};

class Pool {
 public:
  void run(int count, TaskFunction function, void* context) {
    std::unique_lock<std::mutex> region(region_, std::try_to_lock);
    if (!region.owns_lock() || count == 1 || wanted_ == 1 || count >= MAX_TASKS) {
      for (int task = 0; task < count; task++) function(context, task);
      return;
    }
    start_threads();
    function_ = function;
    context_ = context;
    done_.store(0, std::memory_order_relaxed);
    ticket_.store(Ticket::make(++number_, count).bits, std::memory_order_seq_cst);
    if (parked_.load(std::memory_order_seq_cst) > 0) wake();
    work();
    for (int spins = 0; done_.load(std::memory_order_acquire) < count;) {
      if (++spins > 20000) std::this_thread::yield();
      pause_cpu();
    }
  }

  int wanted() const { return wanted_; }

  void resize(int count) {
    std::lock_guard<std::mutex> region(region_);
    wanted_ = count < 1 ? 1 : count;
  }

 private:
  std::mutex region_;
  std::atomic<uint64_t> ticket_{0};
  std::atomic<int> done_{0}, parked_{0};
  TaskFunction function_ = nullptr;
  void* context_ = nullptr;
  uint32_t number_ = 0;
  int started_ = 1;
  std::atomic<int> wanted_{physical_cores()};
  std::mutex sleep_;
  std::condition_variable wake_;

  void start_threads() {
    for (; started_ < wanted_; started_++) std::thread([this, id = started_] { loop(id); }).detach();
  }

  void wake() {
    std::lock_guard<std::mutex> lock(sleep_);
    wake_.notify_all();
  }

  bool has_work() const {
    const Ticket ticket{ticket_.load(std::memory_order_seq_cst)};
    return ticket.next() < ticket.count();
  }

  void work() {
    uint64_t bits = ticket_.load(std::memory_order_acquire);
    for (;;) {
      const Ticket ticket{bits};
      if (ticket.next() >= ticket.count()) return;
      if (!ticket_.compare_exchange_weak(bits, bits + 1, std::memory_order_acq_rel)) continue;
      function_(context_, ticket.next());
      done_.fetch_add(1, std::memory_order_acq_rel);
      bits = ticket_.load(std::memory_order_acquire);
    }
  }

  void loop(int id) {
    for (;;) {
      auto idle_since = Clock::now();
      for (int spins = 0;; spins++) {
        if (id < wanted_ && has_work()) {
          work();
          idle_since = Clock::now();
        }
        pause_cpu();
        if (spins % 64 == 63 && Clock::now() - idle_since > SPIN_TIME) break;
      }
      std::unique_lock<std::mutex> lock(sleep_);
      parked_.fetch_add(1, std::memory_order_seq_cst);
      wake_.wait(lock, [this, id] { return id < wanted_ && has_work(); });
      parked_.fetch_sub(1, std::memory_order_seq_cst);
    }
  }
};

// Never destroyed: threads may still be spinning when the process runs its exit handlers.
Pool& pool() {
  static Pool* instance = new Pool;
  return *instance;
}

}  // namespace

void run_tasks(int count, TaskFunction function, void* context) {
  if (count > 0) pool().run(count, function, context);
}

int num_threads() { return pool().wanted(); }
void set_num_threads(int count) { pool().resize(count); }

int physical_cores() {
#ifdef __linux__
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) {
    std::set<std::pair<int, int>> cores;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
      if (!CPU_ISSET(cpu, &allowed)) continue;
      int ids[2] = {0, cpu};
      const char* names[2] = {"physical_package_id", "core_id"};
      for (int i = 0; i < 2; i++) {
        const std::string path =
            "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/" + names[i];
        if (FILE* file = fopen(path.c_str(), "r")) {
          if (fscanf(file, "%d", &ids[i]) != 1) ids[i] = i == 0 ? 0 : cpu;
          fclose(file);
        }
      }
      cores.insert({ids[0], ids[1]});
    }
    if (!cores.empty()) return int(cores.size());
  }
#endif
  const int count = int(std::thread::hardware_concurrency());
  return count > 0 ? count : 1;
}

}  // namespace stagecraft
