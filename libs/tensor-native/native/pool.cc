#include "pool.h"

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "cpus.h"
#include "share.h"

namespace stagecraft {
namespace {

using std::chrono::microseconds;

// A worker that was useful waits for its next region on the core for a while: as long as JavaScript
// takes between two kernels, and in proportion to what it did, so that tiny models leave it asleep.
constexpr microseconds MIN_SPIN{20}, MAX_SPIN{200};
constexpr int SPIN_PER_WORK = 4;
// Waking a worker costs about this much, so the region must promise more work than that.
constexpr microseconds WAKE_WORTH{50};
constexpr microseconds FINISH_SPIN{300};  // the caller's patience with the last task of a region
constexpr microseconds BURST_SPIN{2000};  // a worker's patience between two regions of a burst
constexpr milliseconds MOVE_INTERVAL{1};
constexpr int MAX_TASKS = 1 << 20, MAX_THREADS = 1024;

inline void pause_cpu() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Spins until `done()`, for at most `patience`; false when that was not enough.
template <class F>
inline bool spin_until(Clock::duration patience, const F& done) {
  Clock::time_point end{};
  for (int spins = 0;; spins++) {
    if (done()) return true;
    pause_cpu();
    if (spins % 64 != 63) continue;
    const auto now = Clock::now();
    if (end == Clock::time_point{}) end = now + patience;
    if (now > end) return false;
  }
}

// A ticket packs region number and the tasks [next, end) that are left of one thread's share, so that
// claiming a task is one compare and swap, and a worker that wakes late can never touch a region
// that is over.
struct Ticket {
  uint64_t bits;
  int next() const { return int(bits) & (MAX_TASKS - 1); }
  int end() const { return int(bits >> 20) & (MAX_TASKS - 1); }
  bool empty() const { return next() >= end(); }
  Ticket without_first() const { return {bits + 1}; }
  Ticket without_last() const { return {bits - (uint64_t(1) << 20)}; }
  static Ticket make(uint32_t region, int next, int end) {
    return {uint64_t(region & 0xffffff) << 40 | uint64_t(end) << 20 | uint64_t(next)};
  }
};

// A thread's share on a cache line of its own.
struct alignas(64) Slot {
  std::atomic<uint64_t> ticket{0};
};

struct Worker {
  int id;
  std::atomic<int> thread{0};  // the system's number
  std::atomic<bool> parked{false};
  std::atomic<int> cpu{-1};
  CpuMask allowed;      // before it was sent off the caller's core, with `sleep_` held
  bool sent_off = false;
  bool called = false;  // to wake up, with `sleep_` held
  std::condition_variable wake;
  std::atomic<const WaitMeter*> meter{nullptr};
  uint64_t waited = 0;  // at the last look
};

// A task's own regions run on its thread alone.
thread_local bool within_task = false;

class Pool {
 public:
  Pool() { workers_.reserve(MAX_THREADS); }  // workers read the list while it grows

  void run(int count, TaskFunction function, void* context) {
    if (count > 1 && count < MAX_TASKS && wanted_ > 1 && !within_task) {
      std::unique_lock<std::mutex> region(region_, std::try_to_lock);
      const int threads = region.owns_lock() ? choose_threads() : 1;
      if (threads > 1) return run_shared(count, threads, function, context);
    }
    for (int task = 0; task < count; task++) function(context, task);
  }

  int wanted() const { return wanted_; }
  int active() const { return active_; }

  void resize(int count) {
    std::lock_guard<std::mutex> region(region_);
    wanted_ = count < 1 ? 1 : count > MAX_THREADS ? MAX_THREADS : count;
    active_ = wanted_.load();
    share_ = Share();
  }

  bool begin_burst(double seconds) {
    if (wanted_ < 2 || seconds < 2e-6 * double(WAKE_WORTH.count())) return false;
    std::unique_lock<std::mutex> region(region_, std::try_to_lock);
    if (!region.owns_lock()) return false;  // another caller has the workers
    bursts_.fetch_add(1, std::memory_order_seq_cst);
    caller_cpu_.store(current_cpu(), std::memory_order_relaxed);
    start_workers();
    if (anyone_parked()) wake_workers();
    return true;
  }

  void end_burst() { bursts_.fetch_sub(1, std::memory_order_relaxed); }

 private:
  std::mutex region_;
  TaskFunction function_ = nullptr;
  void* context_ = nullptr;
  std::unique_ptr<Slot[]> slots_{new Slot[MAX_THREADS]};  // of the caller and the workers, by id
  alignas(64) std::atomic<uint32_t> number_{0};           // of the current region
  std::atomic<int> count_{0}, used_{1};                   // its tasks, its slots
  alignas(64) std::atomic<int> done_{0};
  alignas(64) std::atomic<bool> caller_waits_{false};
  std::atomic<int> bursts_{0};
  std::vector<std::unique_ptr<Worker>> workers_;  // grows only, with `region_` and `sleep_` held
  std::atomic<int> wanted_{physical_cores()}, active_{wanted_.load()};
  std::atomic<int> caller_cpu_{-1};
  std::mutex sleep_;
  std::condition_variable finished_;
  Share share_;
  uint64_t caller_waited_ = 0;
  const void* last_caller_ = nullptr;

  // Every thread begins with a run of neighbouring tasks that is its own in every region: rows that
  // it wrote in one region are in its cache when it reads them in the next.
  void run_shared(int count, int threads, TaskFunction function, void* context) {
    start_workers();
    const int used = count < threads ? count : threads;
    const uint32_t number = number_.load(std::memory_order_relaxed) + 1;
    function_ = function;
    context_ = context;
    count_.store(count, std::memory_order_relaxed);
    used_.store(used, std::memory_order_relaxed);
    done_.store(0, std::memory_order_relaxed);
    caller_cpu_.store(current_cpu(), std::memory_order_relaxed);
    for (int i = 0; i < used; i++) {
      const int begin = int(int64_t(count) * i / used), end = int(int64_t(count) * (i + 1) / used);
      slots_[size_t(i)].ticket.store(Ticket::make(number, begin, end).bits, std::memory_order_release);
    }
    number_.store(number, std::memory_order_seq_cst);
    int finished = 0;
    if (anyone_parked()) {
      const auto start = Clock::now();
      finished += take(0, &Ticket::without_first);
      if ((Clock::now() - start) * (count - 1) > WAKE_WORTH) wake_workers();
    }
    work(0, finished);
    finish(count);
  }

  void finish(int count) {
    const auto done = [this, count] { return done_.load(std::memory_order_acquire) >= count; };
    if (spin_until(FINISH_SPIN, done)) return;
    std::unique_lock<std::mutex> lock(sleep_);
    caller_waits_.store(true, std::memory_order_seq_cst);
    finished_.wait(lock, [this, count] { return done_.load(std::memory_order_seq_cst) >= count; });
    caller_waits_.store(false, std::memory_order_relaxed);
  }

  // Runs one task of a slot, from its front or its back; false when it has none left.
  bool take(int slot, Ticket (Ticket::*rest)() const) {
    std::atomic<uint64_t>& ticket = slots_[size_t(slot)].ticket;
    Ticket seen{ticket.load(std::memory_order_acquire)};
    for (;;) {
      if (seen.empty()) return false;
      const Ticket left = (seen.*rest)();
      if (!ticket.compare_exchange_weak(seen.bits, left.bits, std::memory_order_acq_rel)) continue;
      within_task = true;
      function_(context_, left.next() != seen.next() ? seen.next() : left.end());
      within_task = false;
      return true;
    }
  }

  // All that a thread finds to do in the current region: its own tasks, then the last ones of others.
  void work(int slot, int finished = 0) {
    while (take(slot, &Ticket::without_first)) finished++;
    const int used = used_.load(std::memory_order_relaxed);
    for (int i = 1; i <= used; i++)
      while (take((slot + i) % used, &Ticket::without_last)) finished++;
    if (finished == 0) return;
    const int count = count_.load(std::memory_order_relaxed);
    const int done = done_.fetch_add(finished, std::memory_order_seq_cst) + finished;
    if (done < count || !caller_waits_.load(std::memory_order_seq_cst)) return;
    std::lock_guard<std::mutex> lock(sleep_);
    finished_.notify_all();
  }

  void start_workers() {
    if (int(workers_.size()) >= wanted_ - 1) return;
    std::lock_guard<std::mutex> lock(sleep_);
    while (int(workers_.size()) < wanted_ - 1) {
      workers_.emplace_back(new Worker);
      Worker* worker = workers_.back().get();
      worker->id = int(workers_.size());
      std::thread([this, worker] { serve(*worker); }).detach();
    }
  }

  bool anyone_parked() const {
    for (int i = 0; i < active_ - 1; i++)
      if (workers_[size_t(i)]->parked.load(std::memory_order_seq_cst)) return true;
    return false;
  }

  // Sleepers wake up where they fell asleep or where they are woken from, often the caller's core,
  // and would wait there for the caller to finish.
  void wake_workers() {
    std::lock_guard<std::mutex> lock(sleep_);
    const int here = caller_cpu_;
    for (int i = 0; i < active_ - 1; i++) {
      Worker& worker = *workers_[size_t(i)];
      if (worker.parked && !worker.sent_off) {
        worker.allowed = forbid_cpus(worker.thread, &here, 1);
        worker.sent_off = true;
      }
      worker.called = true;
      worker.wake.notify_one();
    }
  }

  void serve(Worker& worker) {
    static thread_local WaitMeter meter;
    worker.thread = thread_id();
    worker.meter.store(&meter, std::memory_order_release);
    Clock::duration patience = MIN_SPIN;
    uint32_t seen = number_.load(std::memory_order_relaxed) - 1;
    for (Clock::time_point moved_at{};;) {
      const auto begun = [this, &worker, &seen] { return worker.id < active_ && number_.load(std::memory_order_seq_cst) != seen; };
      if (!spin_until(patience, begun) && !within_burst(begun)) park(worker, begun);
      const auto start = Clock::now();
      if (start - moved_at > MOVE_INTERVAL && step_aside(worker)) moved_at = start;
      seen = number_.load(std::memory_order_acquire);
      work(worker.id);
      const Clock::duration spin = (Clock::now() - start) * SPIN_PER_WORK;
      const bool burst = bursts_.load(std::memory_order_relaxed) > 0;
      patience = burst || spin > MAX_SPIN ? Clock::duration(MAX_SPIN) : spin < MIN_SPIN ? MIN_SPIN : spin;
    }
  }

  // Waits on the core as long as a burst goes on; false when nothing began.
  template <class F>
  bool within_burst(const F& begun) {
    if (bursts_.load(std::memory_order_relaxed) == 0) return false;
    spin_until(BURST_SPIN, [&] { return begun() || bursts_.load(std::memory_order_relaxed) == 0; });
    return begun();
  }

  template <class F>
  void park(Worker& worker, const F& begun) {
    std::unique_lock<std::mutex> lock(sleep_);
    worker.cpu.store(-1, std::memory_order_relaxed);
    worker.parked.store(true, std::memory_order_seq_cst);
    worker.wake.wait(lock, [&] { return begun() || worker.called; });
    worker.called = false;
    worker.parked.store(false, std::memory_order_seq_cst);
    if (worker.sent_off) allow_cpus(worker.thread, worker.allowed);
    worker.sent_off = false;
  }

  // Schedulers have been seen to keep two busy threads of ours on one core for seconds, while the
  // other core ran work of low priority. True when this worker was on another's core.
  bool step_aside(Worker& worker) {
    const int cpu = current_cpu();
    worker.cpu.store(cpu, std::memory_order_relaxed);
    int taken[MAX_THREADS], count = 0;
    taken[count++] = caller_cpu_.load(std::memory_order_relaxed);
    for (int i = 0; i < worker.id - 1; i++)
      taken[count++] = workers_[size_t(i)]->cpu.load(std::memory_order_relaxed);
    for (int i = 0; i < count; i++)
      if (cpu >= 0 && taken[i] == cpu) {
        allow_cpus(worker.thread, forbid_cpus(worker.thread, taken, count));
        worker.cpu.store(current_cpu(), std::memory_order_relaxed);
        return true;
      }
    return false;
  }

  int choose_threads() {
    const auto now = Clock::now();
    if (share_.due(now)) {
      share_.look(now, std::chrono::nanoseconds(longest_wait()), wanted_);
      active_ = share_.threads(wanted_);
    }
    return active_;
  }

  // Of the caller and the active workers, since the last look; in nanoseconds.
  uint64_t longest_wait() {
    static thread_local WaitMeter meter;
    const uint64_t own = meter.nanoseconds();
    uint64_t longest = last_caller_ == &meter && own > caller_waited_ ? own - caller_waited_ : 0;
    last_caller_ = &meter;
    caller_waited_ = own;
    for (const auto& worker : workers_) {
      const WaitMeter* theirs = worker->meter.load(std::memory_order_acquire);
      if (!theirs) continue;
      const uint64_t waited = theirs->nanoseconds();
      if (worker->id < active_ && waited - worker->waited > longest) longest = waited - worker->waited;
      worker->waited = waited;
    }
    return longest;
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

Burst::Burst(double seconds) : open_(pool().begin_burst(seconds)) {}
Burst::~Burst() {
  if (open_) pool().end_burst();
}

int num_threads() { return pool().wanted(); }
int num_active_threads() { return within_task ? 1 : pool().active(); }
void set_num_threads(int count) { pool().resize(count); }

}  // namespace stagecraft
