// One thread pool for the whole process, however many JavaScript threads use it.
#pragma once

namespace stagecraft {

using TaskFunction = void (*)(void* context, int task);

// Runs tasks 0 … count-1, on the caller and the pool; returns when all are done. One region runs at
// a time: a second caller runs its tasks alone, so that services sharing a machine never queue.
void run_tasks(int count, TaskFunction function, void* context);

// While one lives, threads that wait for the next region stay awake: for many short regions one after
// the other, none of them worth waking a thread for. `seconds`: what all of it would take one thread.
class Burst {
 public:
  explicit Burst(double seconds);
  ~Burst();
  Burst(const Burst&) = delete;
  Burst& operator=(const Burst&) = delete;

 private:
  const bool open_;
};

// Threads that may work on a region, the caller among them.
int num_threads();
void set_num_threads(int count);

// Threads that do at the moment: fewer while other processes want the cores, one within a task.
int num_active_threads();

}  // namespace stagecraft
