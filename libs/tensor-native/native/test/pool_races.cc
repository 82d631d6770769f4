// Two callers share the pool while its size changes: every task runs once, and ThreadSanitizer watches
// (sanitize.mjs). Exit code 1 when a task was lost or run twice.
#include <chrono>
#include <cstdio>
#include <thread>
#include <vector>

#include "../pool.h"

using namespace stagecraft;

namespace {

constexpr int ROUNDS = 2000, MOST_TASKS = 97;
bool lost = false;

void run_region(std::vector<int>& runs) {
  run_tasks(
      int(runs.size()),
      [](void* context, int task) {
        (*static_cast<std::vector<int>*>(context))[size_t(task)]++;
        if (task == 3) run_tasks(3, [](void*, int) {}, nullptr);  // a region within a task
      },
      &runs);
}

void call(int caller) {
  for (int round = 0; round < ROUNDS; round++) {
    const Burst burst(round % 3 ? 1.0 : 0.0);
    std::vector<int> runs(size_t(1 + (round * 7919 + caller) % MOST_TASKS));
    run_region(runs);
    for (size_t task = 0; task < runs.size(); task++) {
      if (runs[task] == 1) continue;
      std::printf("caller %d, round %d: task %zu ran %d times\n", caller, round, task, runs[task]);
      lost = true;
      return;
    }
    if (round % 500 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(3));  // workers park
    if (caller == 0 && round % 700 == 0) set_num_threads(2 + round % 3);
  }
}

}  // namespace

int main() {
  set_num_threads(4);
  std::thread first(call, 0), second(call, 1);
  first.join();
  second.join();
  return lost ? 1 : 0;
}
