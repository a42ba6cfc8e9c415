// Forward: the convolution, its norm, activation and pooling.
#pragma once

#include "norms.h"

template <class W> struct Forward {
    using T = typename W::Number;
    using V = typename W::V;
    using I = typename W::I;
    using Int = typename W::Int;
    static constexpr int POOL = W::POOL, AREA = W::AREA, PER_WORD = W::PER_WORD;
    W& work;
    const Block& s = work.s;

    // Activation and pooling of POOL rows of what the convolution gave, to row `h` of sample n's outputs.
    template <class N> void activate(const N& norm, long n, long h, const V* y, V* out, I* mask) const {
        if constexpr (W::SMOOTH) pool(NoNorm(), n, h, work.template smoothed<false>(norm, y, POOL), out, mask);
        else pool(norm, n, h, y, out, mask);
    }

    template <class N> void pool(const N& norm, long n, long h, const V* y, V* out, I* mask) const {
        long outputs = work.outputs, row = work.row, words = work.words;
        out += n * work.out_size + h * work.out_row;
        for (long q = 0; q < work.out_width; q++)
            for (long word = 0; word < words; word++) {
                I bits = {};
                for (long o = word * PER_WORD; o < std::min((word + 1) * PER_WORD, outputs); o++) {
                    const V* from = y + q * POOL * outputs + o;
                    V sum = {};
                    for (int k = 0; k < AREA; k++) {
                        V v = norm.apply(o, from[k / POOL * row + k % POOL * outputs]);
                        if (W::RECTIFIES) bits |= ~(v <= 0) & (Int)(1u << (o % PER_WORD * AREA + k));
                        sum += W::RECTIFIES ? rectified(v) : v;
                    }
                    out[q * outputs + o] = AREA == 1 ? sum : sum * (T)(1.0 / AREA);
                }
                if (mask) mask[q * words + word] = bits;
            }
    }

    void run(NoNorm& norm, V* out) {
        if (!W::RECTIFIES && !W::SMOOTH && POOL == 1 && work.few) return work.convolve_all(out);
        work.convolve_all(W::SMOOTH ? (V*)work.kept : nullptr);
        for (long n = 0; n < s.samples; n++) {
            const auto* sample = work.sample(n);
            for (long h = 0; h < work.out_height; h++) {
                V* y = W::SMOOTH && work.kept ? (V*)work.kept + n * work.size + h * POOL * work.row : work.local.data();
                bool masked = W::RECTIFIES && work.kept;
                I* mask = masked ? (I*)work.kept + (n * work.out_height + h) * work.out_width * work.words : nullptr;
                activate(norm, n, h, work.convolve(n, sample, h * POOL, (h + 1) * POOL, y), out, mask);
            }
        }
    }

    void run(BatchNorm<T>& norm, V* out) {
        norm.measure(work);
        for (long n = 0; n < s.samples; n++) {
            const auto* sample = work.kept ? nullptr : work.sample(n);
            for (long h = 0; h < work.out_height; h++)
                activate(norm, n, h, work.convolved(n, sample, h * POOL, (h + 1) * POOL), out, nullptr);
        }
    }

    void run(SampleNorm<T>& norm, V* out) {
        work.convolve_all((V*)work.kept);
        for (long n = 0; n < s.samples; n++) {
            const auto* sample = work.sample(n);
            if (work.kept) work.convolve(n, sample, 0, work.height, (V*)work.kept + n * work.size);
            norm.measure(work.at_hand = work.convolved(n, sample));
            for (long h = 0; h < work.out_height; h++)
                activate(norm, n, h, work.at_hand + h * POOL * work.row, out, nullptr);
        }
    }
};
