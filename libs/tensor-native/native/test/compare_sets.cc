// Compares the kernels of one instruction set with the plain C++ ones on random inputs, without
// Node: what can be run under an emulator (emulate-neon.mjs).   compare_sets NAME
#include <cmath>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "../kernels.h"
#include "../pool.h"

using namespace stagecraft;
using Floats = std::vector<float>;

namespace {

uint32_t state = 1;
float random_float() {
  state = state * 1664525u + 1013904223u;
  return float(int32_t(state)) / 2147483648.f;
}

Floats random_floats(size_t n, float scale = 1) {
  Floats values(n);
  for (float& x : values) x = scale * random_float();
  return values;
}

std::vector<int32_t> random_ids(size_t n, int bound) {
  std::vector<int32_t> ids(n);
  for (int32_t& id : ids) id = int32_t((random_float() * .5f + .5f) * float(bound - 1));
  return ids;
}

int failures = 0;

// Relative to the largest element, 1 at least.
void expect_close(const std::string& what, const Floats& a, const Floats& b, float tolerance = 2e-5f) {
  float scale = 1, error = 0;
  for (float x : b) scale = std::fmax(scale, std::fabs(x));
  for (size_t i = 0; i < a.size(); i++) {
    const float difference = std::fabs(a[i] - b[i]) / scale;
    if (!(difference <= error)) error = difference;  // NaN counts
  }
  if (error <= tolerance) return;
  std::printf("%s: differs by %g\n", what.c_str(), double(error));
  failures++;
}

// Runs `f(kernels, outputs)` on both tables; outputs are vectors of the given sizes.
template <class F>
void compare(const std::string& what, const Kernels& tested, const std::vector<size_t>& sizes, const F& f) {
  std::vector<Floats> got, expected;
  for (size_t size : sizes) got.emplace_back(size), expected.emplace_back(size);
  f(tested, got);
  f(*find_kernels("baseline"), expected);
  for (size_t i = 0; i < sizes.size(); i++) expect_close(what + " " + std::to_string(i), got[i], expected[i]);
}

void compare_rows(const Kernels& k, int rows, int in, int out) {
  const size_t n = size_t(rows), w = size_t(in), o = size_t(out);
  const Floats x = random_floats(n * w), weight = random_floats(o * w), bias = random_floats(o), dy = random_floats(n * o);
  const std::string shape = " " + std::to_string(rows) + "×" + std::to_string(in) + "×" + std::to_string(out);
  compare("linear" + shape, k, {n * o}, [&](const Kernels& t, auto& y) {
    t.linear(x.data(), rows, in, out, {weight.data(), bias.data()}, y[0].data());
  });
  compare("linear gradient" + shape, k, {n * w, o * w, o}, [&](const Kernels& t, auto& y) {
    t.linear_grad(x.data(), rows, in, out, {weight.data(), bias.data()}, dy.data(), y[0].data(),
                  {y[1].data(), y[2].data()});
  });
  const size_t rank = 5;
  const Floats a = random_floats(rank * w), b = random_floats(o * rank);
  compare("linear with an adapter" + shape, k, {n * o, n * w, o, rank * w, o * rank}, [&](const Kernels& t, auto& y) {
    const Linear map{weight.data(), bias.data(), {a.data(), b.data(), int(rank), .3f}};
    t.linear(x.data(), rows, in, out, map, y[0].data());
    t.linear_grad(x.data(), rows, in, out, map, dy.data(), y[1].data(),
                  {nullptr, y[2].data(), y[3].data(), y[4].data()});
  });
  const Floats scale = random_floats(w), dx = random_floats(n * w);
  for (bool layer : {false, true}) {
    if (layer && in < 2) continue;
    const Norm norm{scale.data(), nullptr, 1e-5f, layer};
    compare("norm" + shape, k, {n * w, n * w, w}, [&](const Kernels& t, auto& y) {
      Floats stats(n * NORM_STATS);
      t.norm(x.data(), rows, in, norm, y[0].data(), stats.data());
      t.norm_grad(x.data(), rows, in, norm, stats.data(), dx.data(), y[1].data(), {y[2].data(), nullptr});
    });
  }
  const auto targets = random_ids(n, out);
  compare("log-probs" + shape, k, {n, n, n * w, o * w}, [&](const Kernels& t, auto& y) {
    Floats lse(n);
    const TokenLogProbs p{rows, in, out, .7f, 5.f, x.data(), weight.data(), targets.data(), y[0].data(), y[1].data(), lse.data()};
    t.token_log_probs(p);
    t.token_log_probs_grad(p, {dy.data(), dy.data(), y[2].data(), y[3].data()});
  });
  for (int kind = 0; kind < NUM_ACTIVATIONS; kind++) {
    const Activation act = Activation(kind);
    compare("activations" + shape, k, {n * w, n * w, n * w, n * w, n * w}, [&](const Kernels& t, auto& y) {
      t.gated(act, x.data(), dx.data(), n * w, y[0].data());
      t.gated_grad(act, x.data(), dx.data(), dx.data(), n * w, y[1].data(), y[2].data());
      t.activate(act, x.data(), n * w, y[3].data());
      t.activate_grad(act, x.data(), dx.data(), n * w, y[4].data());
    });
  }
  compare("exp" + shape, k, {n * w}, [&](const Kernels& t, auto& y) { t.exp(x.data(), n * w, y[0].data()); });
}

void compare_attention(const Kernels& k, int batch, int length, Heads heads) {
  const size_t n = size_t(batch) * size_t(length), q = size_t(heads.q_width()), kv = size_t(heads.kv_width());
  const Floats x = random_floats(n * (q + 2 * kv)), dmixed = random_floats(n * q);
  std::vector<int32_t> segments(n, 1);
  for (size_t i = 0; i < n; i += 7) segments[i] = 0;
  for (const Scores& scores : {Scores{.4f, 0, 0}, Scores{.3f, 2.f, 9}})
  compare("attention", k, {n * q, n * q, n * kv, n * kv}, [&](const Kernels& t, auto& y) {
    Floats lse(n * size_t(heads.count));
    const Attention a{{batch, length, segments.data(), nullptr}, heads, scores, x.data(), x.data() + n * q,
                      x.data() + n * (q + kv), q, kv, y[0].data(), lse.data()};
    t.attention(a);
    t.attention_grad(a, {dmixed.data(), y[1].data(), y[2].data(), y[3].data()});
  });
}

// Four of five pairs of heads of 10.
const double FREQUENCIES[] = {1, .2, .04, .008};
const Rope ROPE{FREQUENCIES, 4, 1.1f};

// Two layers with embedding and final norm, forward and backward; `picks`: seven rows leave them.
void compare_layers(const Kernels& k, bool gated, bool picks) {
  const int batch = 3, length = 21, vocab = 17, width = 40, inner = 72;
  const Heads heads{4, 2, 10};
  const size_t n = batch * length, w = width, f = inner, q = 40, kv = 20, outputs = picks ? 7 : n;
  const size_t hidden = gated ? 2 * f : f;
  const std::vector<size_t> weights{w, q * w, kv * w, kv * w, w * q, w, gated ? f * w : 0, f * w, w * f};
  std::vector<Floats> tensors;
  for (int layer = 0; layer < 2; layer++)
    for (size_t size : weights) tensors.push_back(random_floats(size, .3f));
  const Floats table = random_floats(vocab * w), positions = random_floats(length * w), scale = random_floats(w);
  const Floats dy = random_floats(outputs * w);
  const auto ids = random_ids(n, vocab), rows = random_ids(outputs, int(n)), places = random_ids(n, length);
  std::vector<size_t> sizes{outputs * w, table.size(), positions.size(), w};
  for (const Floats& tensor : tensors) sizes.push_back(tensor.size());
  compare("layers", k, sizes, [&](const Kernels& t, auto& y) {
    std::vector<Floats> memory;
    const auto keep = [&](size_t size) { return memory.emplace_back(size).data(); };
    std::vector<DecoderLayer> layers;
    std::vector<DecoderLayerGrad> grads;
    DecoderLayers s{};
    DecoderLayersGrad g{};
    s.embeds = s.normalizes = true;
    s.embedding = {ids.data(), places.data(), table.data(), positions.data(), vocab, length, keep(n * w)};
    for (int i = 0; i < 2; i++) {
      const Floats* p = &tensors[size_t(i) * weights.size()];
      Floats* d = &y[4 + size_t(i) * weights.size()];
      const size_t left = i == 1 ? outputs : n;
      AttentionBlock a{{batch, length, nullptr, nullptr}, heads, width, ROPE, {.3f, 0, 0}, {p[0].data(), nullptr, 1e-5f, false},
                       {p[1].data(), nullptr}, {p[2].data(), nullptr}, {p[3].data(), nullptr}, {p[4].data(), nullptr},
                       i == 0 ? s.embedding.y : layers[0].mlp.y, keep(left * w), keep(n * NORM_STATS),
                       keep(n * (q + 2 * kv)), keep(n * q), keep(n * 4)};
      MlpBlock m{int(left), width, inner, gated, gated ? SILU : GELU, {p[5].data(), nullptr, 1e-5f, false}, {p[6].data(), nullptr},
                 {p[7].data(), nullptr}, {p[8].data(), nullptr}, a.y, keep(left * w), keep(left * NORM_STATS),
                 keep(left * hidden)};
      layers.push_back({a, m});
      grads.push_back({{{d[0].data(), nullptr}, {d[1].data(), nullptr}, {d[2].data(), nullptr}, {d[3].data(), nullptr},
                        {d[4].data(), nullptr}},
                       {{d[5].data(), nullptr}, {d[6].data(), nullptr}, {d[7].data(), nullptr}, {d[8].data(), nullptr}}});
    }
    s.list = layers.data(), s.count = 2;
    s.picks = picks, s.rows = rows.data(), s.num_rows = picks ? int(outputs) : 0;
    s.norm = {scale.data(), nullptr, 1e-5f, false}, s.normal = y[0].data(), s.stats = keep(outputs * NORM_STATS);
    g.list = grads.data();
    g.embedding = {y[1].data(), y[2].data()}, g.norm = {y[3].data(), nullptr};
    t.decoder_layers(s);
    t.decoder_layers_grad(s, g, dy.data(), nullptr);
  });
}

// A prompt and five tokens one by one, then a sample of each kind from the last logits.
void compare_decoder(const Kernels& k) {
  DecoderConfig c{};
  c.vocab = 131, c.width = 40, c.layers = 2, c.inner = 72, c.max_sequences = 2, c.max_length = 40, c.max_positions = 1;
  c.heads = {4, 2, 10};
  c.gated = c.pre_norms = c.post_norms = true, c.activation = GELU, c.eps = 1e-5f, c.head_norms = EACH_HEAD;
  c.attention_scale = .3f, c.attention_softcap = 4.f, c.embedding_scale = 2.f, c.residual_scale = .9f;
  c.logit_divisor = 1.1f, c.logit_softcap = 9.f;
  const DecoderLayerOptions options[] = {{ROPE, 0}, {ROPE, 7}};
  c.layer_options = options;
  const size_t w = 40, kv = 20;
  std::vector<Floats> tensors;
  const auto add = [&](size_t size) { tensors.push_back(random_floats(size, .2f)); };
  add(131 * w);
  for (int layer = 0; layer < 2; layer++) {
    for (size_t size : {w, w * w, kv * w, kv * w, w * w, w, 72 * w, 72 * w, 72 * w}) add(size), tensors.push_back({});
    add(10), add(10);
    for (int norm = 0; norm < 2; norm++) add(w), tensors.push_back({});
  }
  add(w), tensors.push_back({}), add(131 * w);
  std::vector<const float*> data;
  for (const Floats& tensor : tensors) data.push_back(tensor.empty() ? nullptr : tensor.data());
  const auto ids = random_ids(25, 131);
  compare("decoder", k, {131, 8}, [&](const Kernels& t, auto& y) {
    std::unique_ptr<DecoderModel> model(t.create_model(c));
    std::unique_ptr<Decoder> decoder(t.create_decoder(c));
    model->load(data.data());
    decoder->use(model.get());
    DecoderRow row{1, ids.data(), 20};
    decoder->append(&row, 1, y[0].data());
    for (int i = 20; i < 25; i++) decoder->append(&(row = {1, ids.data() + i, 1}), 1, y[0].data());
    const Sample samples[] = {{0, 0, 0, 1, 0, 1, nullptr, 0}, {1, .4, 0, 1, 0, 1, nullptr, 0},
                              {1, .6, 9, .8, 0, 1, nullptr, 0}, {2, .3, 0, 1, .1, 1.5, ids.data(), 25}};
    for (int i = 0; i < 4; i++) {
      int32_t id;
      t.sample(y[0].data(), 1, 131, samples + i, &id, &y[1][size_t(i)]);
      y[1][size_t(4 + i)] = float(id);
    }
  });
}

}  // namespace

int main(int count, char** names) {
  const Kernels* tested = count > 1 ? find_kernels(names[1]) : nullptr;
  if (!tested) return std::puts("which instruction set? this machine cannot run it"), 2;
  set_num_threads(2);
  const int shapes[][3] = {{1, 1, 1}, {1, 5, 33}, {3, 17, 2}, {15, 7, 65}, {29, 64, 96}, {70, 530, 40}};
  for (const auto& s : shapes) compare_rows(*tested, s[0], s[1], s[2]);
  compare_attention(*tested, 1, 1, {1, 1, 2});
  compare_attention(*tested, 2, 37, {4, 2, 20});
  for (bool gated : {false, true})
    for (bool picks : {false, true}) compare_layers(*tested, gated, picks);
  compare_decoder(*tested);
  std::printf("%s against plain C++: %d differences\n", names[1], failures);
  return failures > 0;
}
