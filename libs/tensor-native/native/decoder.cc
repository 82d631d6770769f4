// Entries for decoding sessions. A session is a JavaScript object that owns a Decoder.
#include <memory>
#include <string>
#include <vector>

#include "args.h"
#include "entries.h"
#include "exports.h"
#include "kernels.h"
#include "read.h"
#include "weight_cache.h"

namespace stagecraft {
namespace {

const napi_type_tag DECODER_TAG = {0x5d1c0f6a7be84b1fULL, 0x9a4b7c3e21d8e605ULL};

const napi_type_tag CACHE_TAG = {0x0e5b7c29d4f1436aULL, 0xb28d60f5c9173ea4ULL};

struct Session {
  DecoderConfig config;
  std::vector<DecoderLayerOptions> layers;
  std::vector<double> frequencies;  // of all layers
  const Kernels* kernels;
  std::unique_ptr<Decoder> decoder;
  std::shared_ptr<PackedWeights> weights;
};

// A JavaScript object that owns a T.
template <class T>
napi_value wrap(napi_env env, const Args& args, std::unique_ptr<T> value, const napi_type_tag& tag) {
  napi_value object;
  napi_create_object(env, &object);
  const napi_finalize release = [](napi_env, void* data, void*) { delete static_cast<T*>(data); };
  if (napi_wrap(env, object, value.get(), release, nullptr, nullptr) != napi_ok) args.fail("cannot be created");
  value.release();
  napi_type_tag_object(env, object, &tag);
  return object;
}

template <class T>
T& unwrap(napi_env env, const Args& args, const char* name, const char* kind, const napi_type_tag& tag) {
  const napi_value object = args.value(name);
  bool ours = false;
  void* data = nullptr;
  const bool valid = napi_check_object_type_tag(env, object, &tag, &ours) == napi_ok && ours &&
                     napi_unwrap(env, object, &data) == napi_ok;
  if (!valid) args.fail(std::string(name) + " is not a " + kind);
  return *static_cast<T*>(data);
}

DecoderConfig read_config(const Args& args) {
  DecoderConfig c{};
  c.vocab = args.integer("vocab", 1, MAX_SIZE);
  c.width = args.integer("width", 1, 1 << 20);
  c.layers = args.integer("layers", 0, 4096);
  c.inner = args.integer("inner", 1, 1 << 22);
  c.max_sequences = args.integer("maxSequences", 1, 1 << 20);
  c.max_length = args.integer("maxLength", 1, MAX_POSITION);
  c.max_positions = args.integer("maxPositions", 1, MAX_POSITION);
  c.heads = {args.integer("numHeads", 1, 65536), args.integer("numKvHeads", 1, 65536),
             args.integer("headSize", 1, 65536)};
  if (c.heads.count % c.heads.kv_count != 0) args.fail("numHeads is not a multiple of numKvHeads");
  if (int64_t(c.heads.count) * c.heads.size > MAX_SIZE) args.fail("numHeads × headSize is too large");
  c.layer_norm = args.flag("layerNorm");
  c.gated = args.flag("gated");
  c.learned_positions = args.flag("learnedPositions");
  c.eps = args.number("eps");
  c.activation = read_activation(args);
  c.pre_norms = args.flag("preNorms");
  c.post_norms = args.flag("postNorms");
  c.parallel = args.flag("parallel");
  c.head_norms = HeadNorms(args.integer("headNorms", NO_HEAD_NORMS, ALL_HEADS));
  c.attention_scale = args.number("attentionScale");
  c.attention_softcap = args.number("attentionSoftcap");
  c.embedding_scale = args.number("embeddingScale");
  c.residual_scale = args.number("residualScale");
  c.logit_divisor = args.number("logitDivisor");
  c.logit_softcap = args.number("logitSoftcap");
  if (!(c.logit_divisor > 0)) args.fail("logitDivisor must be above 0");
  if (c.learned_positions && c.max_length > c.max_positions) {
    args.fail("maxLength " + std::to_string(c.max_length) + " is above maxPositions " +
              std::to_string(c.max_positions));
  }
  return c;
}

// Copies what the layers' numbered fields say, angles too, which the caller's arrays hold.
void read_layer_options(const Args& args, Session& session) {
  const int size = session.config.heads.size;
  session.frequencies.reserve(size_t(session.config.layers) * size_t(size));  // so that pointers stay
  for (int i = 0; i < session.config.layers; i++) {
    const Args own = args.numbered(i);
    Rope rope = read_rope(own, size);
    const double* const copied = session.frequencies.data() + session.frequencies.size();
    session.frequencies.insert(session.frequencies.end(), rope.frequencies, rope.frequencies + rope.pairs);
    rope.frequencies = copied;
    session.layers.push_back({rope, read_window(own)});
  }
  session.config.layer_options = session.layers.data();
}

napi_value create_decoder(napi_env env, const Args& args) {
  std::unique_ptr<Session> session(new Session{read_config(args), {}, {}, &kernels(), nullptr, nullptr});
  read_layer_options(args, *session);
  session->decoder.reset(kernels().create_decoder(session->config));
  return wrap(env, args, std::move(session), DECODER_TAG);
}

Session& read_session(napi_env env, const Args& args) {
  Session& session = unwrap<Session>(env, args, "session", "decoder", DECODER_TAG);
  if (!session.decoder) args.fail("the decoder is disposed");
  return session;
}

napi_value create_weight_cache(napi_env env, const Args& args) {
  return wrap(env, args, std::unique_ptr<WeightCache>(new WeightCache), CACHE_TAG);
}

napi_value clear_weight_cache(napi_env env, const Args& args) {
  unwrap<WeightCache>(env, args, "cache", "weight cache", CACHE_TAG).clear();
  return nullptr;
}

napi_value dispose_decoder(napi_env env, const Args& args) {
  Session& session = read_session(env, args);
  session.decoder.reset();
  session.weights.reset();
  return nullptr;
}

// Reads the list in the order given in kernels.h and checks every shape.
class TensorReader {
 public:
  explicit TensorReader(const Args& args) : args_(args) {}
  void take(size_t rows, size_t columns, bool optional = false) {
    const float* data = args_.list_floats("tensors", uint32_t(tensors.size()), rows, columns, optional);
    tensors.push_back({data, rows * columns});
  }
  void vector(int size, bool optional = true) { take(size_t(size), 1, optional); }
  void linear(int out, int in, bool optional = false) {
    take(size_t(out), size_t(in), optional);
    vector(out);
  }
  std::vector<SourceTensor> tensors;

 private:
  const Args& args_;
};

napi_value load_decoder(napi_env env, const Args& args) {
  Session& session = read_session(env, args);
  const DecoderConfig& c = session.config;
  TensorReader reader(args);
  reader.take(size_t(c.vocab), size_t(c.width));
  if (c.learned_positions) reader.take(size_t(c.max_positions), size_t(c.width));
  for (int layer = 0; layer < c.layers; layer++) {
    reader.vector(c.width, !c.pre_norms);
    reader.vector(c.width);
    reader.linear(c.heads.q_width(), c.width);
    reader.linear(c.heads.kv_width(), c.width);
    reader.linear(c.heads.kv_width(), c.width);
    reader.linear(c.width, c.heads.q_width());
    reader.vector(c.width, !c.pre_norms);
    reader.vector(c.width);
    reader.linear(c.inner, c.width, !c.gated);
    reader.linear(c.inner, c.width);
    reader.linear(c.width, c.inner);
    reader.vector(c.q_norm_width(), c.head_norms == NO_HEAD_NORMS);
    reader.vector(c.k_norm_width(), c.head_norms == NO_HEAD_NORMS);
    for (int norm = 0; norm < 2; norm++) {
      reader.vector(c.width, !c.post_norms);
      reader.vector(c.width);
    }
  }
  reader.vector(c.width, false);
  reader.vector(c.width);
  reader.take(size_t(c.vocab), size_t(c.width));
  WeightCache& cache = unwrap<WeightCache>(env, args, "cache", "weight cache", CACHE_TAG);
  session.weights = cache.pack(*session.kernels, c, reader.tensors, session.weights);
  session.decoder->use(session.weights->model.get());
  return nullptr;
}

int read_slot(const Session& session, const Args& args, const char* name) {
  return args.integer(name, 0, session.config.max_sequences - 1);
}

napi_value truncate_decoder(napi_env env, const Args& args) {
  Session& session = read_session(env, args);
  const int slot = read_slot(session, args, "slot");
  session.decoder->truncate(slot, args.integer("length", 0, session.decoder->length(slot)));
  return nullptr;
}

napi_value fork_decoder(napi_env env, const Args& args) {
  Session& session = read_session(env, args);
  const int from = read_slot(session, args, "from"), to = read_slot(session, args, "to");
  if (from == to) args.fail("from and to are the same slot");
  session.decoder->fork(from, to, args.integer("length", 0, session.decoder->length(from)));
  return nullptr;
}

std::vector<DecoderRow> read_rows(const Session& session, const Args& args) {
  const int count = args.integer("count", 0, session.config.max_sequences);
  const int total = args.integer("total", 0, MAX_SIZE);
  const int32_t* slots = args.ints("slots", size_t(count));
  const int32_t* counts = args.ints("counts", size_t(count));
  const int32_t* ids = args.ints("ids", size_t(total));
  check_ids(args, "slots", slots, size_t(count), 0, session.config.max_sequences);
  check_ids(args, "ids", ids, size_t(total), 0, session.config.vocab);
  std::vector<DecoderRow> rows(static_cast<size_t>(count));
  std::vector<bool> seen(static_cast<size_t>(session.config.max_sequences));
  int at = 0;
  for (size_t r = 0; r < rows.size(); r++) {
    const size_t slot = size_t(slots[r]);
    if (seen[slot]) args.fail("slot " + std::to_string(slot) + " appears twice");
    seen[slot] = true;
    const int room = session.config.max_length - session.decoder->length(slots[r]);
    if (counts[r] < 1 || counts[r] > total - at) args.fail("counts do not add up to the ids");
    if (counts[r] > room) {
      args.fail("slot " + std::to_string(slot) + " has room for " + std::to_string(room) + " tokens, got " +
                std::to_string(counts[r]));
    }
    rows[r] = {slots[r], ids + at, counts[r]};
    at += counts[r];
  }
  if (at != total) args.fail("counts do not add up to the ids");
  return rows;
}

napi_value append_decoder(napi_env env, const Args& args) {
  Session& session = read_session(env, args);
  const std::vector<DecoderRow> rows = read_rows(session, args);
  float* logits = args.floats("logits", rows.size(), size_t(session.config.vocab));
  if (!session.weights) args.fail("the decoder has no weights yet");
  if (!rows.empty()) session.decoder->append(rows.data(), int(rows.size()), logits);
  return nullptr;
}

// `filters` [count, 4], where any row has some: top-k, top-p, min-p, penalty; `history` are the ids
// that the penalty is for, those of row i end at historyEnds[i].
void read_filters(const Args& args, int vocab, std::vector<Draw>& draws) {
  const double* filters = args.doubles("filters", draws.size(), 4);
  const int32_t* ends = args.ints("historyEnds", draws.size());
  const int total = args.integer("historySize", 0, MAX_SIZE);
  const int32_t* history = args.ints("history", size_t(total));
  check_ids(args, "history", history, size_t(total), 0, vocab);
  int begin = 0;
  for (size_t i = 0; i < draws.size(); i++, filters += 4) {
    if (ends[i] < begin || ends[i] > total) args.fail("historyEnds do not rise to historySize");
    const bool valid = filters[0] >= 0 && filters[0] <= MAX_SIZE && filters[1] > 0 && filters[2] >= 0 &&
                       filters[2] <= 1 && filters[3] > 0;
    if (!valid) args.fail("the filters of row " + std::to_string(i) + " are out of range");
    Sample& s = draws[i].sample;
    s.top_k = int(filters[0]);
    s.top_p = filters[1];
    s.min_p = filters[2];
    s.penalty = filters[3];
    if (s.penalty != 1 && draws[i].limit > 1) {
      args.fail("row " + std::to_string(i) + " has a repetition penalty, whose history does not grow: its limit must be 1");
    }
    s.history = history + begin;
    s.history_size = ends[i] - begin;
    begin = ends[i];
  }
}

// Up to `limits` [count] tokens for each row, at most `most`; `uniforms`, `drawnIds` and `logProbs` are
// [count, most], `drawn` [count] says how many there are.
napi_value draw_decoder(napi_env env, const Args& args) {
  Session& session = read_session(env, args);
  const std::vector<DecoderRow> rows = read_rows(session, args);
  if (!session.weights) args.fail("the decoder has no weights yet");
  const size_t n = rows.size();
  const int most = args.integer("most", 1, MAX_SIZE);
  const int32_t* limits = args.ints("limits", n);
  const int32_t* ends = args.ints("eosIds", n);
  const float* temperatures = args.floats("temperatures", n);
  const float* uniforms = args.floats("uniforms", n, size_t(most));
  int32_t* ids = args.ints("drawnIds", n * size_t(most));
  float* log_probs = args.floats("logProbs", n, size_t(most));
  int32_t* drawn = args.ints("drawn", n);
  std::vector<Draw> draws(n);
  for (size_t i = 0; i < n; i++) {
    const size_t at = i * size_t(most);
    const int room = session.config.max_length - session.decoder->length(rows[i].slot) - rows[i].count + 1;
    if (limits[i] < 1 || limits[i] > most) {
      args.fail("limits[" + std::to_string(i) + "] is " + std::to_string(limits[i]) + ", outside 1 … " +
                std::to_string(most));
    }
    if (limits[i] > room) {
      args.fail("slot " + std::to_string(rows[i].slot) + " has room to draw " + std::to_string(room) +
                " tokens, got a limit of " + std::to_string(limits[i]));
    }
    draws[i] = {{temperatures[i], 0, 0, 1, 0, 1, nullptr, 0}, uniforms + at, limits[i], ends[i], ids + at,
                log_probs + at, 0};
  }
  if (args.has("filters")) read_filters(args, session.config.vocab, draws);
  if (!rows.empty()) session.decoder->draw(rows.data(), int(n), draws.data());
  for (size_t i = 0; i < n; i++) drawn[i] = draws[i].drawn;
  return nullptr;
}

napi_value decoder_bytes(napi_env env, const Args& args) {
  napi_value result;
  const Session& session = read_session(env, args);
  const size_t weights = session.weights ? session.weights->model->bytes() : 0;
  napi_create_double(env, double(session.decoder->bytes() + weights), &result);
  return result;
}

const EntryPoint ENTRIES[] = {
    {"createDecoder", create_decoder}, {"disposeDecoder", dispose_decoder}, {"loadDecoder", load_decoder},
    {"truncateDecoder", truncate_decoder}, {"forkDecoder", fork_decoder}, {"appendDecoder", append_decoder},
    {"drawDecoder", draw_decoder}, {"decoderBytes", decoder_bytes}, {"createWeightCache", create_weight_cache},
    {"clearWeightCache", clear_weight_cache},
};

}  // namespace

void export_decoder(napi_env env, napi_value exports) {
  export_entries(env, exports, ENTRIES);
}

}  // namespace stagecraft
