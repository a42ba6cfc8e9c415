// One block at work: its sizes, its input, and what its convolution gave. Both directions start from here.
#pragma once

#include "inputs.h"
#include "products.h"

// `kept` is what forward leaves for backward: with a norm what the convolution gave, or nothing where that is sooner
// computed again than read from memory; without, bits that say where the ReLU let through.
template <class T, int POOL_, bool RELU_, template <class> class Input> struct Work {
    using Number = T;
    using V = typename Types<T>::V;
    using I = typename Types<T>::I;
    using Int = typename Types<T>::Int;
    static constexpr int POOL = POOL_, AREA = POOL * POOL, PER_WORD = 32 / AREA;  // outputs whose bits share a word
    static constexpr bool RELU = RELU_;

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
    std::vector<V> whole;        // of a sample whose convolution is not kept
    const V* at_hand = nullptr;  // what the convolution gave for the sample at hand, where all of it is needed at once

    Work(const Block& s, const void* x, const void* w, const void* b, void* kept)
        : s(s), w((const V*)w), b((const V*)b), kept(kept), input(s, x) {}

    template <class X> void convolve(const X* sample, long first, long last, V* y) const {
        if (s.given) return;
        for (long h = first; h < last; h++)
            correlate(sample + h * s.stride * in_row(s), in_row(s), s.stride * s.inputs, w, outputs, s.kernel,
                      s.kernel * s.inputs, width, b, y + (h - first) * row, outputs);
    }

    // Some rows of what the convolution gave.
    template <class X> const V* convolved(long n, const X* sample, long first, long last) {
        if (at_hand) return at_hand + first * row;
        if (kept) return (const V*)kept + n * size + first * row;
        convolve(sample, first, last, local.data());
        return local.data();
    }

    // All of it, of one sample.
    template <class X> const V* convolved(long n, const X* sample) {
        if (kept) return (const V*)kept + n * size;
        whole.resize(size);
        convolve(sample, 0, height, whole.data());
        return whole.data();
    }
};
