// What every instruction set implements. Matrices are row-major and dense; N = batch × length rows.
#pragma once
#include <cstddef>
#include <cstdint>

namespace stagecraft {

// Low-rank factors: the weight of a map with an adapter is weight + scale·b·a.
struct Adapter {
  const float *a, *b;  // [rank, in], [out, rank]; null without an adapter
  int rank;
  float scale;
};

struct Linear {
  const float* weight;  // [out, in]
  const float* bias;    // [out] or null
  Adapter adapter = {};
};

struct LinearGrad {
  float* weight;  // null where nobody asks
  float* bias;    // null where the layer has none
  float *a = nullptr, *b = nullptr;  // of the adapter
};

struct Norm {
  const float* weight;  // [width]
  const float* bias;    // [width] or null
  float eps;
  bool layer;  // LayerNorm, else RMSNorm
  // Statistics kept per row: 1/deviation, and the mean (0 for RMSNorm).
};
constexpr int NORM_STATS = 2;

struct NormGrad {
  float* weight;
  float* bias;
};

struct Layout {
  int batch, length;
  const int32_t* segments;   // [N] or null
  const int32_t* positions;  // [N] or null
};

struct Heads {
  int count, kv_count, size;
  int q_width() const { return count * size; }
  int kv_width() const { return kv_count * size; }
  int qkv_width() const { return q_width() + 2 * kv_width(); }
};

// Rotary angles: position p turns pair i by p · frequencies[i]; `scale` is a factor on cosine and sine.
struct Rope {
  const double* frequencies;  // [pairs]
  int pairs;                  // 0 = no rotary embedding
  float scale;
};

// How scores become weights: c·tanh(scale·s / c) where there is a cap c; a row sees `window` rows, itself the last.
struct Scores {
  float scale;
  float softcap;  // 0 = none
  int window;     // 0 = all
};

// Of a gate or of all that goes in.
enum Activation { SILU, GELU, GELU_ERF, RELU, TANH, NUM_ACTIVATIONS };

struct AttentionBlock {
  Layout layout;
  Heads heads;
  int width;
  Rope rope;
  Scores scores;
  Norm norm;
  Linear q, k, v, o;
  const float* x;  // [N, width]
  float* y;        // [N, width]
  float* stats;    // [N, NORM_STATS]
  float* qkv;      // [N, qkv_width], rotated
  float* mixed;    // [N, q_width]
  float* lse;      // [N, heads]
};

struct AttentionBlockGrad {
  NormGrad norm;
  LinearGrad q, k, v, o;
};

struct MlpBlock {
  int rows, width, inner;
  bool gated;
  Activation activation;
  Norm norm;
  Linear gate, up, down;
  const float* x;
  float* y;
  float* stats;   // [N, NORM_STATS]
  float* hidden;  // [N, 2·inner]: gate and up, or [N, inner]; null in a forward pass that keeps nothing
};

struct MlpBlockGrad {
  NormGrad norm;
  LinearGrad gate, up, down;
};

// y = table[ids] + position_table[positions]
struct TokenEmbedding {
  const int32_t *ids, *positions;  // [N]
  const float* table;              // [vocab, width]
  const float* position_table;     // [max_positions, width] or null
  int vocab, max_positions;
  float* y;  // [N, width]
};

struct TokenEmbeddingGrad {
  float *table, *position_table;
};

struct DecoderLayer {
  AttentionBlock attention;
  MlpBlock mlp;
};

struct DecoderLayerGrad {
  AttentionBlockGrad attention;
  MlpBlockGrad mlp;
};

// Layers in order, the x of each block being the y of the one before; a decoder's first ones after the
// embedding of its tokens, its last ones before a norm. What a gradient reads again (stats, qkv, mixed, lse,
// hidden, and every y but the result) is null in a forward pass that keeps nothing.
struct DecoderLayers {
  const DecoderLayer* list;
  int count;
  bool picks;           // only `rows` go on behind the last attention, in their order; else all N
  const int32_t* rows;  // [num_rows], null where that is 0
  int num_rows;
  bool embeds;
  TokenEmbedding embedding;  // its y is the first x
  bool normalizes;
  Norm norm;
  float *normal, *stats;  // the result of the norm and its statistics
};

struct DecoderLayersGrad {
  const DecoderLayerGrad* list;
  TokenEmbeddingGrad embedding;
  NormGrad norm;
};

struct Attention {
  Layout layout;
  Heads heads;
  Scores scores;
  const float *q, *k, *v;             // row strides below
  size_t q_stride, kv_stride;
  float* mixed;  // [N, q_width]
  float* lse;    // [N, heads]
};

struct AttentionGrad {
  const float* dmixed;
  float *dq, *dk, *dv;  // strides of q and k, v
};

struct TokenLogProbs {
  int rows, width, vocab;
  float temperature;
  float softcap;  // of logits before the temperature, 0 = none
  const float* hidden;     // [N, width]
  const float* weight;     // [V, width]
  const int32_t* targets;  // [N], negative = ignored
  float *log_probs, *entropy, *lse;  // [N]
};

struct TokenLogProbsGrad {
  const float* d_log_probs;
  const float* d_entropy;  // or null
  float* d_hidden;
  float* d_weight;  // or null
};

struct OptimizerTensor {
  float *param, *first, *second;
  const float* grad;
  size_t size;
  bool decay;
};

struct OptimizerStep {
  bool adamw;
  float learning_rate, beta1, beta2, eps, weight_decay, grad_scale;
  float step_size, correction;  // AdamW: lr / (1 − β1^t), 1 / √(1 − β2^t)
};

// In what layers of one decoder differ.
struct DecoderLayerOptions {
  Rope rope;
  int window;  // 0 = all
};

enum HeadNorms { NO_HEAD_NORMS, EACH_HEAD, ALL_HEADS };

struct DecoderConfig {
  int vocab, width, layers, inner, max_sequences, max_length, max_positions;
  Heads heads;
  bool layer_norm, gated, learned_positions;
  float eps;
  Activation activation;
  bool pre_norms, post_norms;  // of what goes into blocks, of what comes out of them
  bool parallel;               // the MLP reads what attention reads
  HeadNorms head_norms;        // of queries and keys
  float attention_scale, attention_softcap;
  float embedding_scale, residual_scale;
  float logit_divisor, logit_softcap;
  const DecoderLayerOptions* layer_options;  // [layers], read by decoders alone
  bool is_plain() const { return pre_norms && !post_norms && !parallel && residual_scale == 1.f; }
  int q_norm_width() const { return head_norms == EACH_HEAD ? heads.size : heads.q_width(); }
  int k_norm_width() const { return head_norms == EACH_HEAD ? heads.size : heads.kv_width(); }
};

// Tensors of a layer, in order: norm weight and bias, q, k, v, output (weight and bias each), norm
// weight and bias, gate, up, down (weight and bias each), weights of the norms of q and k, weight and bias of
// the norms after attention and MLP; null for what the architecture lacks.
// Before the layers: token embedding [V, D], with learned_positions also [P, D]; after them: final
// norm weight and bias, head [V, D].
constexpr int DECODER_LAYER_TENSORS = 24;

struct DecoderRow {
  int slot;
  const int32_t* ids;
  int count;
};

struct Sample {
  float temperature;  // 0 = greedy
  double uniform;     // in [0, 1)
  int top_k;          // 0 = all
  double top_p, min_p, penalty;  // 1, 0 and 1 = off
  const int32_t* history;        // ids that the penalty is for
  int history_size;
  bool filters() const { return top_k > 0 || top_p < 1 || min_p > 0; }
};

// How a row goes on: tokens are drawn and read until there are `limit`, or one is `end`, or the logits
// are not finite.
struct Draw {
  Sample sample;          // its uniform is that of the token
  const float* uniforms;  // [limit]
  int limit, end;         // end -1: none
  int32_t* ids;           // [limit]
  float* log_probs;       // [limit], NaN where the logits are not finite
  int drawn;              // out
};

// A model's weights as a decoder reads them; several decoders may share them.
class DecoderModel {
 public:
  virtual ~DecoderModel() = default;
  // Reads all tensors, in the order given at DECODER_LAYER_TENSORS.
  virtual void load(const float* const* tensors) = 0;
  virtual size_t bytes() const = 0;
};

// The KV cache of a model's sequences. Not for use from two threads at once.
class Decoder {
 public:
  virtual ~Decoder() = default;
  // The weights of the next calls: made by the same instruction set, for the same sizes.
  virtual void use(const DecoderModel* model) = 0;
  virtual int length(int slot) const = 0;
  virtual void truncate(int slot, int length) = 0;
  // Copies the first `length` cached positions of one slot to another.
  virtual void fork(int from, int to, int length) = 0;
  // logits [count, vocab] of the last token of each row.
  virtual void append(const DecoderRow* rows, int count, float* logits) = 0;
  // Reads the rows and draws what follows them. The last token that is drawn is not read.
  virtual void draw(const DecoderRow* rows, int count, Draw* draws) = 0;
  virtual size_t bytes() const = 0;
};

struct Kernels {
  const char* name;
  void (*embedding)(const int32_t* ids, int rows, const float* table, int width, float* y);
  void (*embedding_grad)(const int32_t* ids, int rows, const float* dy, int vocab, int width, float* dtable);
  void (*linear)(const float* x, int rows, int in, int out, Linear linear, float* y);
  void (*linear_grad)(const float* x, int rows, int in, int out, Linear linear, const float* dy, float* dx,
                      LinearGrad grad);
  void (*norm)(const float* x, int rows, int width, Norm norm, float* y, float* stats);
  void (*norm_grad)(const float* x, int rows, int width, Norm norm, const float* stats, const float* dy,
                    float* dx, NormGrad grad);
  void (*gated)(Activation activation, const float* gate, const float* up, size_t size, float* y);
  void (*gated_grad)(Activation activation, const float* gate, const float* up, const float* dy, size_t size,
                     float* dgate, float* dup);
  void (*activate)(Activation activation, const float* x, size_t size, float* y);
  void (*activate_grad)(Activation activation, const float* x, const float* dy, size_t size, float* dx);
  void (*rotary)(const float* x, int rows, int heads, int head_size, const int32_t* positions, Rope rope,
                 bool inverse, float* y);
  void (*attention)(const Attention&);
  void (*attention_grad)(const Attention&, const AttentionGrad&);
  void (*decoder_layers)(const DecoderLayers&);
  // dy of the result; dx of the first block's x, null where that is an embedding.
  void (*decoder_layers_grad)(const DecoderLayers&, const DecoderLayersGrad&, const float* dy, float* dx);
  void (*token_log_probs)(const TokenLogProbs&);
  void (*token_log_probs_grad)(const TokenLogProbs&, const TokenLogProbsGrad&);
  double (*sum_of_squares)(const float* const* arrays, const size_t* sizes, int count);
  void (*optimizer_step)(const OptimizerTensor* tensors, int count, const OptimizerStep&);
  void (*add)(const float* a, const float* b, size_t size, float* y);
  void (*exp)(const float* x, size_t size, float* y);
  DecoderModel* (*create_model)(const DecoderConfig&);
  Decoder* (*create_decoder)(const DecoderConfig&);
  // logits [count, vocab] → sampled id and its log-probability under the temperature alone, NaN where
  // the logits are not finite.
  void (*sample)(const float* logits, int count, int vocab, const Sample*, int32_t* ids, float* log_probs);
};

// The table in use: the best one for this machine, until another is chosen.
const Kernels& kernels();
// False when this machine cannot run it.
bool choose_kernels(const char* name);
// The named table, null if it cannot run here.
const Kernels* find_kernels(const char* name);

}  // namespace stagecraft
