// One block at work: its sizes, its input, and what its convolution gave. Both directions start from here.
#pragma once

#include <optional>

#include "activations.h"
#include "few.h"
#include "inputs.h"

// `kept` is what forward leaves for backward: with a norm or a smooth activation what the convolution gave, or nothing
// where that is sooner computed again than read from memory; else bits that say where a ReLU let through. All smooth
// activations are one KIND.
template <class T, int POOL_, Activation KIND, template <class> class Input> struct Work {
    using Number = T;
    using V = typename Types<T>::V;
    using I = typename Types<T>::I;
    using Int = typename Types<T>::Int;
    static constexpr int POOL = POOL_, AREA = POOL * POOL, PER_WORD = 32 / AREA;  // outputs whose bits share a word
    static constexpr bool RECTIFIES = KIND == RELU, SMOOTH = KIND > RELU;

    const Block& s;
    const V *w, *b;
    void* kept;
    Input<T> input;
    long outputs = s.outputs, height = rows(s), width = columns(s);
    long out_width = width / POOL, out_height = height / POOL;
    long row = width * outputs, size = height * row, out_row = out_width * outputs, out_size = out_height * out_row;
    long words = (outputs + PER_WORD - 1) / PER_WORD;
    long block = std::max<long>(POOL, rows_together(s) / POOL * POOL);  // rows worked on at a time
    std::vector<V> local = std::vector<V>(block * row);
    std::vector<V> smooth = std::vector<V>(SMOOTH ? local.size() : 0);
    std::vector<V> whole;        // of a sample whose convolution is not kept
    const V* at_hand = nullptr;  // what the convolution gave for the sample at hand, where all of it is needed at once
    std::optional<FewPlaces<V>> few;
    std::vector<V> of_few;   // what it gave for all samples
    const V* all = nullptr;  // that, wherever it lies

    Work(const Block& s, const void* x, const void* w, const void* b, void* kept)
        : s(s), w((const V*)w), b((const V*)b), kept(kept), input(s, x) {
        if (FewPlaces<V>::suits(s)) few.emplace(s);
    }

    // Over few places all samples at once, to where it shall stand; by itself to `of_few`.
    void convolve_all(V* y) {
        if (!few) return;
        if (!y) of_few.resize(s.samples * size), y = of_few.data();
        few->forward((const V*)input.x, w, b, y);
        all = y;
    }

    // One sample's input, with its border; null where samples are not taken one by one.
    auto sample(long n) { return few ? nullptr : input.sample(s, n); }

    // Some rows of what the convolution gives: written to y, unless there is all of it.
    template <class X> const V* convolve(long n, const X* sample, long first, long last, V* y) const {
        if (all) return all + n * size + first * row;
        for (long h = first; h < last && !s.given; h++)
            correlate(sample + h * s.stride * in_row(s), in_row(s), s.stride * s.inputs, w, outputs, s.kernel,
                      s.kernel * s.inputs, width, b, y + (h - first) * row, outputs);
        return y;
    }

    // Some rows of what the convolution gave.
    template <class X> const V* convolved(long n, const X* sample, long first, long last) {
        if (at_hand) return at_hand + first * row;
        if (kept) return (const V*)kept + n * size + first * row;
        return convolve(n, sample, first, last, local.data());
    }

    // All of it, of one sample.
    template <class X> const V* convolved(long n, const X* sample) {
        if (kept) return (const V*)kept + n * size;
        whole.resize(size);
        return convolve(n, sample, 0, height, whole.data());
    }

    // Values or slopes of a smooth activation, of some rows of what the convolution gave and what a norm makes of it.
    template <bool SLOPES, class N> const V* smoothed(const N& norm, const V* y, long rows) {
        with_smooth<T>(s.activation, [&](auto f) {
            V* to = smooth.data();
            for (long i = 0; i < rows * row; i += outputs)
                for (long o = 0; o < outputs; o++) {
                    V v = norm.apply(o, y[i + o]);
                    to[i + o] = SLOPES ? f.slope(v) : f.value(v);
                }
        });
        return smooth.data();
    }
};
