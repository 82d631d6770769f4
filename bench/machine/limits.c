// The machine's limits, on N threads: fused multiply-adds in registers, and reading 256 MiB. Answers
// every line with one line of JSON.   cc -O3 -march=native -pthread limits.c -o limits && ./limits N
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(__AVX512F__)
enum { W = 16 };
#elif defined(__AVX2__)
enum { W = 8 };
#else
enum { W = 4 };
#endif
typedef float vf __attribute__((vector_size(W * 4)));

enum { ACC = 12, ROUNDS = 3000000, TRIALS = 5, MAX_THREADS = 64 };
static const size_t BYTES = (size_t)256 << 20;

typedef struct {
  const vf *data;
  size_t count;
  int read;
  float sink;
  pthread_barrier_t *start;
  double begin, end;
} Job;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static float multiply_add(void) {
  vf acc[ACC], x, y;
  for (int i = 0; i < W; i++) x[i] = 1.0000001f, y[i] = 1e-9f;
#pragma GCC unroll 12  // without it the sums live in memory, at 40 % of the rate
  for (int a = 0; a < ACC; a++) acc[a] = x + (float)a;
  for (int r = 0; r < ROUNDS; r++) {
#pragma GCC unroll 12
    for (int a = 0; a < ACC; a++) {
      acc[a] = acc[a] * x + y;
      __asm__ volatile("" : "+v"(acc[a]));
    }
  }
  float sum = 0;
#pragma GCC unroll 12
  for (int a = 0; a < ACC; a++) sum += acc[a][0];
  return sum;
}

static float read_all(const vf *data, size_t count) {
  vf acc[8];
  memset(acc, 0, sizeof acc);
  for (size_t i = 0; i + 8 <= count; i += 8)
    for (int a = 0; a < 8; a++) acc[a] += data[i + a];
  float sum = 0;
  for (int a = 0; a < 8; a++) sum += acc[a][0];
  return sum;
}

static void *run(void *argument) {
  Job *job = argument;
  pthread_barrier_wait(job->start);
  job->begin = now();
  job->sink = job->read ? read_all(job->data, job->count) : multiply_add();
  job->end = now();
  return NULL;
}

static double measure(int threads, int read, const char *memory) {
  pthread_t ids[MAX_THREADS];
  Job jobs[MAX_THREADS];
  pthread_barrier_t start;
  pthread_barrier_init(&start, NULL, (unsigned)threads);
  const size_t part = BYTES / (size_t)threads / 4096 * 4096;
  for (int t = 0; t < threads; t++) {
    const vf *data = (const vf *)(memory + (size_t)t * part);
    jobs[t] = (Job){data, part / sizeof(vf), read, 0, &start, 0, 0};
    pthread_create(&ids[t], NULL, run, &jobs[t]);
  }
  double begin = 1e300, end = 0;
  for (int t = 0; t < threads; t++) {
    pthread_join(ids[t], NULL);
    if (jobs[t].begin < begin) begin = jobs[t].begin;
    if (jobs[t].end > end) end = jobs[t].end;
  }
  pthread_barrier_destroy(&start);
  const double work = read ? (double)part * threads : 2.0 * W * ACC * (double)ROUNDS * threads;
  return work / (end - begin) / 1e9;
}

/* The best of a few: what the machine can do, not what another program left in one moment. */
static double best(int threads, int read, const char *memory) {
  double most = 0;
  for (int trial = 0; trial < TRIALS; trial++) {
    const double rate = measure(threads, read, memory);
    if (rate > most) most = rate;
  }
  return most;
}

int main(int count, char **values) {
  int threads = count > 1 ? atoi(values[1]) : 1;
  if (threads < 1 || threads > MAX_THREADS) return 2;
  char *memory = aligned_alloc(4096, BYTES);
  if (!memory) return 1;
  memset(memory, 1, BYTES);
  printf("{\"threads\": %d}\n", threads);
  fflush(stdout);
  for (char line[64]; fgets(line, sizeof line, stdin);) {
    printf("{\"gflops\": %.1f, \"gbytes\": %.2f}\n", best(threads, 0, memory),
           best(threads, 1, memory));
    fflush(stdout);
  }
  return 0;
}
