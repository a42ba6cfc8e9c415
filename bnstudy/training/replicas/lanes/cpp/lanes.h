// Replicas as SIMD lanes. Small networks starve a convolution library: four channels do not fill a vector register.
// Replicas do, whatever the channel count, so here the replica is the innermost axis of every tensor and each
// multiply-add works on one value of each of them. No lane ever meets another: a NaN stays where it is.
//
// One block = convolution -> [norm] -> [activation] -> [2x2 average pooling], forward and backward, one thread.
// A norm is a batch norm, or works sample by sample: group norms and root mean squares. A linear layer is a 1x1
// convolution over one image whose width is the batch. Layouts, last axis fastest:
//   signals (pack, sample, row, column, channel, lane)
//   weights (kernel row, kernel column, input, output, replica)   biases, statistics (output, replica)
// A pack is a register's worth of replicas; packs are done one after the other. The network's own input has no lanes:
// it is shared by all of them, or by groups of them.
#pragma once

#include "backward.h"
#include "forward.h"
#include "layer.h"
#include "trial.h"

// Calls f with a null pointer to the kind of work that a block asks for.
template <class T, int POOL, Activation KIND, class F> static void by_sharing(const Block& s, F f) {
    if (s.sharing == 1) f((Work<T, POOL, KIND, SharedInput>*)nullptr);
    else f((Work<T, POOL, KIND, LaneInput>*)nullptr);
}
template <class T, int POOL, class F> static void by_activation(const Block& s, F f) {
    if (s.activation == NONE) by_sharing<T, POOL, NONE>(s, f);
    else if (s.activation == RELU) by_sharing<T, POOL, RELU>(s, f);
    else by_sharing<T, POOL, SIGMOID>(s, f);  // which of the smooth ones it asks for itself
}
template <class T, class F> static void by_kind(const Block& s, F f) {
    if (s.pool == 2) by_activation<T, 2>(s, f);
    else by_activation<T, 1>(s, f);
}

// Calls f with the norm that a block asks for.
template <class T, class F> static void with_norm(const Block& s, const Norm& norm, F f) {
    if (!norm.gamma) {
        NoNorm none;
        f(none);
    } else if (s.groups) {
        SampleNorm<T> of_samples(s, norm);
        f(of_samples);
    } else {
        BatchNorm<T> of_batch(s, norm);
        f(of_batch);
    }
}

// Copies of one pack's share of the weights or statistics, and back.
template <class V> static std::vector<V> taken(const void* from, long pack, long packs, long size) {
    std::vector<V> values(from ? size : 0);
    for (long i = 0; i < (long)values.size(); i++) values[i] = ((const V*)from)[i * packs + pack];
    return values;
}
template <class V> static void put(const std::vector<V>& values, void* to, long pack, long packs) {
    for (long i = 0; i < (long)values.size(); i++) ((V*)to)[i * packs + pack] = values[i];
}

// Calls f(work, norm, pack) for each pack, with its parts of the signals.
template <class T, class F>
static void each_pack(const Block& s, const Norm& norm, const void* x, const void* w, const void* b, void* kept, F f) {
    using V = typename Types<T>::V;
    long weights = s.kernel * s.kernel * s.inputs * s.outputs, size = s.samples * s.height * s.width;
    for (long p = 0; p < s.packs; p++) {
        auto own_w = taken<V>(w, p, s.packs, weights), own_b = taken<V>(b, p, s.packs, s.outputs);
        auto gamma = taken<V>(norm.gamma, p, s.packs, s.outputs), beta = taken<V>(norm.beta, p, s.packs, s.outputs);
        auto mean = taken<V>(norm.mean, p, s.packs, s.outputs),
             variance = taken<V>(norm.variance, p, s.packs, s.outputs);
        Norm own{norm.gamma ? gamma.data() : nullptr, beta.data(), mean.data(), variance.data()};
        Block block = s;
        const void* own_x = s.sharing == 0 ? (const V*)x + p * size * s.inputs : x;
        if (s.sharing == 2) {
            block.group += p * Types<T>::LANES;
            if (std::equal(block.group + 1, block.group + Types<T>::LANES, block.group)) {  // they share one after all
                block.sharing = 1;
                own_x = (const T*)x + block.group[0] * size * s.inputs;
            }
        }
        by_kind<T>(block, [&](auto* kind) {
            std::remove_pointer_t<decltype(kind)> work(block, own_x, own_w.data(), own_b.data(), kept);
            long each = norm.gamma || work.SMOOTH ? work.size : work.out_height * work.out_width * work.words;
            if (kept) work.kept = (V*)kept + p * s.samples * each;
            with_norm<T>(block, own, [&](auto& norm) { f(work, norm, p); });
        });
        if (norm.gamma) put(mean, norm.mean, p, s.packs), put(variance, norm.variance, p, s.packs);
    }
}

template <class T>
static void forward_packs(const Block& s, const Norm& norm, const void* x, const void* w, const void* b, void* kept,
                          void* out) {
    using V = typename Types<T>::V;
    each_pack<T>(s, norm, x, w, b, kept, [&](auto& work, auto& own_norm, long p) {
        Forward<std::remove_reference_t<decltype(work)>>{work}.run(own_norm, (V*)out + p * s.samples * work.out_size);
    });
}

template <class T>
static void backward_packs(const Block& s, const Norm& norm, const void* x, const void* w, const void* b, void* kept,
                           const void* g, void* dx, void* dw, void* db, void* dgamma, void* dbeta) {
    using V = typename Types<T>::V;
    long weights = s.kernel * s.kernel * s.inputs * s.outputs, size = s.samples * s.height * s.width;
    each_pack<T>(s, norm, x, w, b, kept, [&](auto& work, auto& own_norm, long p) {
        std::vector<V> own_w(weights), own_b(s.outputs), own_gamma(dgamma ? s.outputs : 0), own_beta(own_gamma);
        V* own_dx = dx ? (V*)dx + p * size * (s.given ? s.outputs : s.inputs) : nullptr;
        Gradients<T> to{own_dx, own_w.data(), own_b.data(), own_gamma.data(), own_beta.data()};
        const V* own_g = (const V*)g + p * s.samples * work.out_size;
        Backward<std::remove_reference_t<decltype(work)>>{work, own_g, to}.run(own_norm);
        put(own_w, dw, p, s.packs), put(own_b, db, p, s.packs);
        put(own_gamma, dgamma, p, s.packs), put(own_beta, dbeta, p, s.packs);
    });
}

// ------------------------------------------------------------------ what Python calls

// The gradient at the layer's output, where what it gave was rectified; and that of its biases.
template <class T> static void output_gradient(const Linear& s, const void* y, const void* g, void* dy, void* db) {
    using V = typename Types<T>::V;
    using D = typename Types<T>::D;
    for (long p = 0; p < s.packs; p++) {
        std::vector<D> sum(s.outputs);
        for (long n = 0; n < s.samples; n++)
            for (long o = 0, at = (p * s.samples + n) * s.outputs; o < s.outputs; o++, at++) {
                V v = ((const V*)g)[at];
                if (s.relu) v = where(~(((const V*)y)[at] <= 0), v);
                ((V*)dy)[at] = v;
                sum[o] += __builtin_convertvector(v, D);
            }
        for (long o = 0; o < s.outputs; o++) ((V*)db)[o * s.packs + p] = __builtin_convertvector(sum[o], V);
    }
}

template <class T> static void sum_rows(const Linear& s, const void* w, void* sums) {
    using V = typename Types<T>::V;
    std::fill_n((V*)sums, s.outputs * s.packs, V{});
    for (long i = 0; i < s.inputs; i++)
        for (long r = 0; r < s.outputs * s.packs; r++) ((V*)sums)[r] += ((const V*)w)[i * s.row + r];
}

// The functions for one kind of number; each has a source of its own, so that they are compiled side by side.
#define EXPORT(T, NAME)                                                                                              \
    extern "C" int lanes_##NAME() { return Types<T>::LANES; }                                                        \
    extern "C" double gflops_##NAME() { return gflops<T>(); }                                                        \
    extern "C" void forward_##NAME(const Block* s, const Norm* norm, const void* x, const void* w, const void* b,    \
                                   void* kept, void* out) {                                                          \
        forward_packs<T>(*s, *norm, x, w, b, kept, out);                                                             \
    }                                                                                                                \
    extern "C" void backward_##NAME(const Block* s, const Norm* norm, const void* x, const void* w, const void* b,   \
                                    void* kept, const void* g, void* dx, void* dw, void* db, void* dgamma,           \
                                    void* dbeta) {                                                                   \
        backward_packs<T>(*s, *norm, x, w, b, kept, g, dx, dw, db, dgamma, dbeta);                                   \
    }                                                                                                                \
    extern "C" void* sparse_##NAME(const Linear* s, const void* x) { return new Sparse<T>(*s, x); }                  \
    extern "C" void release_##NAME(void* sparse) { delete (Sparse<T>*)sparse; }                                      \
    extern "C" void sum_rows_##NAME(const Linear* s, const void* w, void* sums) { sum_rows<T>(*s, w, sums); }        \
    extern "C" void linear_##NAME(const Linear* s, const void* x, const void* sparse, const void* w, const void* b,  \
                                  const void* sums, const void* scale, const void* shift, void* y) {                 \
        using V = typename Types<T>::V;                                                                              \
        Layer<T>{*s, x, (const Sparse<T>*)sparse}.forward((const V*)w, (const V*)b, (const V*)sums, (const V*)scale, \
                                                          (const V*)shift, (V*)y);                                   \
    }                                                                                                                \
    extern "C" void output_gradient_##NAME(const Linear* s, const void* y, const void* g, void* dy, void* db) {      \
        output_gradient<T>(*s, y, g, dy, db);                                                                        \
    }                                                                                                                \
    extern "C" void input_gradient_##NAME(const Linear* s, const void* w, const void* g, void* dx) {                 \
        using V = typename Types<T>::V;                                                                              \
        Layer<T>{*s, nullptr, nullptr}.input_gradient((const V*)w, (const V*)g, (V*)dx);                             \
    }                                                                                                                \
    extern "C" void weight_gradient_##NAME(const Linear* s, const void* x, const void* sparse, const void* g,        \
                                           void* dw) {                                                               \
        using V = typename Types<T>::V;                                                                              \
        Layer<T>{*s, x, (const Sparse<T>*)sparse}.weight_gradient((const V*)g, Write<T>{(V*)dw});                    \
    }                                                                                                                \
    extern "C" void descend_##NAME(const Linear* s, const Descent* by, const void* x, const void* sparse,            \
                                   const void* g, void* w) {                                                         \
        using V = typename Types<T>::V;                                                                              \
        Layer<T>{*s, x, (const Sparse<T>*)sparse}.weight_gradient((const V*)g, Descend<T>{*by, (V*)w});              \
    }
