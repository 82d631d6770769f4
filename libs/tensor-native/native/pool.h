// One thread pool for the whole process, however many JavaScript threads use it.
#pragma once

namespace stagecraft {

using TaskFunction = void (*)(void* context, int task);

// Runs tasks 0 … count-1, on the caller and the pool; returns when all are done. One region runs at
// a time: a second caller runs its tasks alone, so that services sharing a machine never queue.
void run_tasks(int count, TaskFunction function, void* context);

// Threads that work on a region, the caller among them.
int num_threads();
void set_num_threads(int count);

// Cores without hyperthread siblings, within the process's CPU affinity.
int physical_cores();

}  // namespace stagecraft
