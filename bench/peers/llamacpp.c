// llama.cpp through its C API: prompts of 32 tokens, 64 greedy ones, N sequences at a time.
//
//   llamacpp-bench MODEL.gguf LIBRARIES THREADS SEQUENCES
//
// Answers every line (a number of rounds) with one line of JSON, as lib/serve.mjs. It picks the fastest
// of its own settings first: keys and values in f32 or f16, flash attention on or off. Build against the
// headers of the library's release; setup.mjs does.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "ggml-backend.h"
#include "llama.h"

enum { PROMPT = 32, NEW = 64, MAX_SEQUENCES = 64, TRIALS = 5 };

typedef struct {
  struct llama_context *context;
  struct llama_batch batch;
  int sequences, vocabulary;
} Bench;

typedef struct {
  double prompt, decode;
} Seconds;

static double now(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void die(const char *what) {
  fprintf(stderr, "llama.cpp: %s failed\n", what);
  exit(1);
}

static void quiet(enum ggml_log_level level, const char *text, void *unused) {
  (void)unused;
  if (level >= GGML_LOG_LEVEL_ERROR) fputs(text, stderr);
}

static int any_token(const Bench *b, int i) { return 3 + (i * 37 + 5) % (b->vocabulary - 3); }

static void add(struct llama_batch *batch, int token, int position, int sequence, int output) {
  const int i = batch->n_tokens++;
  batch->token[i] = token;
  batch->pos[i] = position;
  batch->n_seq_id[i] = 1;
  batch->seq_id[i][0] = sequence;
  batch->logits[i] = (int8_t)output;
}

static int most_likely(const float *logits, int count) {
  int best = 0;
  for (int i = 1; i < count; i++)
    if (logits[i] > logits[best]) best = i;
  return best;
}

static void decode(Bench *b) {
  if (llama_decode(b->context, b->batch)) die("llama_decode");
}

static void read_prompts(Bench *b) {
  llama_memory_clear(llama_get_memory(b->context), true);
  b->batch.n_tokens = 0;
  for (int s = 0; s < b->sequences; s++)
    for (int i = 0; i < PROMPT; i++)
      add(&b->batch, any_token(b, i + 31 * s), i, s, i == PROMPT - 1);
  decode(b);
  llama_synchronize(b->context);
}

static Seconds run(Bench *b) {
  const double start = now(CLOCK_MONOTONIC);
  read_prompts(b);
  const double between = now(CLOCK_MONOTONIC);
  int next[MAX_SEQUENCES];
  for (int s = 0; s < b->sequences; s++) next[s] = any_token(b, s);
  for (int n = 0; n < NEW; n++) {
    b->batch.n_tokens = 0;
    for (int s = 0; s < b->sequences; s++) add(&b->batch, next[s], PROMPT + n, s, 1);
    decode(b);
    for (int s = 0; s < b->sequences; s++)
      next[s] = most_likely(llama_get_logits_ith(b->context, s), b->vocabulary);
  }
  return (Seconds){between - start, now(CLOCK_MONOTONIC) - between};
}

static void open_context(Bench *b, struct llama_model *model, int threads, int setting) {
  struct llama_context_params p = llama_context_default_params();
  if (p.n_batch != 2048 || p.n_ubatch != 512) die("agreement of header and library");
  p.n_ctx = (uint32_t)(b->sequences * (PROMPT + NEW + 32));
  p.n_seq_max = (uint32_t)b->sequences;
  p.n_threads = p.n_threads_batch = threads;
  p.type_k = p.type_v = setting & 1 ? GGML_TYPE_F16 : GGML_TYPE_F32;
  p.flash_attn_type = setting & 2 ? LLAMA_FLASH_ATTN_TYPE_ENABLED : LLAMA_FLASH_ATTN_TYPE_DISABLED;
  p.no_perf = true;
  p.kv_unified = false;
  b->context = llama_init_from_model(model, p);
  if (!b->context) die("llama_init_from_model");
}

static double best_trial(Bench *b) {
  double best = 1e300;
  for (int trial = 0; trial < TRIALS; trial++) {
    const double seconds = run(b).decode;
    if (seconds < best) best = seconds;
  }
  return best;
}

static int fastest_setting(Bench *b, struct llama_model *model, int threads) {
  double best = 1e300;
  int fastest = 0;
  for (int setting = 0; setting < 4; setting++) {
    open_context(b, model, threads, setting);
    const double seconds = best_trial(b);
    if (seconds < best) best = seconds, fastest = setting;
    llama_free(b->context);
  }
  return fastest;
}

/* The most likely token after a fixed text: tells whether this is the model that was written. */
static int check_token(Bench *b) {
  llama_memory_clear(llama_get_memory(b->context), true);
  b->batch.n_tokens = 0;
  for (int i = 0; i < 48; i++) add(&b->batch, any_token(b, i), i, 0, i == 47);
  decode(b);
  return most_likely(llama_get_logits_ith(b->context, 47), b->vocabulary);
}

static void serve(Bench *b) {
  for (char line[64]; fgets(line, sizeof line, stdin);) {
    Seconds sum = {0, 0};
    const double cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    for (int i = atoi(line); i > 0; i--) {
      const Seconds seconds = run(b);
      sum.prompt += seconds.prompt;
      sum.decode += seconds.decode;
    }
    printf("{\"seconds\": %.9f, \"promptSeconds\": %.9f, \"cpuSeconds\": %.9f}\n", sum.decode,
           sum.prompt, now(CLOCK_PROCESS_CPUTIME_ID) - cpu);
    fflush(stdout);
  }
}

int main(int count, char **values) {
  if (count != 5) return 2;
  const int threads = atoi(values[3]);
  llama_log_set(quiet, NULL);
  ggml_backend_load_all_from_path(values[2]);
  llama_backend_init();
  struct llama_model_params how = llama_model_default_params();
  how.n_gpu_layers = 0;
  struct llama_model *model = llama_model_load_from_file(values[1], how);
  if (!model) die("llama_model_load_from_file");
  Bench bench = {.sequences = atoi(values[4]),
                 .vocabulary = llama_vocab_n_tokens(llama_model_get_vocab(model)),
                 .batch = llama_batch_init(2048, 0, 1)};
  if (bench.sequences < 1 || bench.sequences > MAX_SEQUENCES) return 2;
  const int setting = fastest_setting(&bench, model, threads);
  open_context(&bench, model, threads, setting);
  printf("{\"params\": %llu, \"kv\": \"%s\", \"flash\": %s, \"checkToken\": %d}\n",
         (unsigned long long)llama_model_n_params(model), setting & 1 ? "f16" : "f32",
         setting & 2 ? "true" : "false", check_token(&bench));
  fflush(stdout);
  serve(&bench);
  return 0;
}
