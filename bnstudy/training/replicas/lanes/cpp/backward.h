// Backward: the gradients of a block's input, weights, biases and norm.
#pragma once

#include "norms.h"

template <class T> struct Gradients {
    using V = typename Types<T>::V;
    V *dx, *dw, *db, *dgamma, *dbeta;  // dx null: not needed
};

template <class W> struct Backward {
    using T = typename W::Number;
    using V = typename W::V;
    using D = typename Types<T>::D;
    using I = typename W::I;
    using Int = typename W::Int;
    static constexpr int POOL = W::POOL, AREA = W::AREA, PER_WORD = W::PER_WORD;
    W& work;
    const V* g;  // the outputs' gradient
    Gradients<T> to;
    const Block& s = work.s;
    long outputs = work.outputs;
    std::vector<V> sum = std::vector<V>(outputs), sum_x = sum;  // of one sample
    std::vector<D> by_gamma = std::vector<D>(outputs), by_beta = by_gamma, bias = by_gamma;
    // The gradient at the convolution's output: one sample's, with a border of zeros; or all samples', without.
    bool by_sample = !work.few && !s.given;
    Transposed<V> transposed{s, to.dx && by_sample ? work.w : nullptr};
    long before = by_sample ? transposed.before : 0, right = by_sample ? transposed.right : 0;
    long g_row = (before + work.width + right) * outputs;
    std::vector<V> own = std::vector<V>(by_sample  ? (before + work.height + transposed.below) * g_row
                                        : work.few ? s.samples * work.size
                                                   : 0);
    V* all = s.given ? to.dx : own.data();
    V* dy = all + before * (g_row + outputs);

    // Goes through some rows of one sample, output by output, and hands `use` the gradient at the activation's input; y
    // is what the convolution gave there. Pooling hands back equal parts, and zero to a last row or column that it
    // dropped. Each value comes with a number below POOL, so that sums can be kept side by side.
    template <class N, class F> inline void rows(const N& norm, long n, const V* y, long first, long last, F use) {
        constexpr bool RECTIFIES = W::RECTIFIES, SMOOTH = W::SMOOTH;
        const V* slopes = nullptr;
        if constexpr (SMOOTH) slopes = work.template smoothed<true>(norm, y, last - first);
        const V* g = this->g;  // what stands in registers is not read again, whatever is written meanwhile
        long outputs = this->outputs, words = work.words, out_width = work.out_width, width = work.width;
        for (long h = first; h < last; h++)
            for (long o = 0; o < outputs; o++) {
                const V* from = g + n * work.out_size + h / POOL * work.out_row + o;
                const V *at = y + (h - first) * work.row + o, *slope = slopes + (h - first) * work.row + o;
                const I* mask =
                    (const I*)work.kept + (n * work.out_height + h / POOL) * out_width * words + o / PER_WORD;
                Int bit = (Int)(1u << (o % PER_WORD * AREA + h % POOL * POOL));
                V a = {}, c = {};
                if constexpr (N::NORM) a = norm.scale[o], c = norm.shift[o];
                bool dropped = h / POOL >= work.out_height;
                use(h, o, at, [&](auto each) {
                    for (long q = 0; q < (dropped ? 0 : out_width); q++) {
                        V v = from[q * outputs] * (T)(1.0 / AREA);
                        UNROLL
                        for (int i = 0; i < POOL; i++) {
                            if (SMOOTH) each(q * POOL + i, i, v * slope[(q * POOL + i) * outputs]);
                            else if (RECTIFIES && N::NORM)
                                each(q * POOL + i, i, where(~(at[(q * POOL + i) * outputs] * a + c <= 0), v));
                            else if (RECTIFIES) each(q * POOL + i, i, where((mask[q * words] & bit << i) != 0, v));
                            else each(q * POOL + i, i, v);
                        }
                    }
                    for (long q = dropped ? 0 : out_width * POOL; q < width; q++) each(q, 0, V{});
                });
            }
    }

    // Sums over one sample of the gradient at the norm's output, and of it times the deviation from the mean; added up
    // for the gradients of shift and scale.
    template <class N, class X> void sum_sample(const N& norm, long n, const X* sample) {
        std::fill(this->sum.begin(), this->sum.end(), V{});
        std::fill(this->sum_x.begin(), this->sum_x.end(), V{});
        V *sum = this->sum.data(), *sum_x = this->sum_x.data();
        long outputs = this->outputs;
        for (long first = 0; first < work.height; first += work.block) {
            long last = std::min(first + work.block, work.height);
            const V* y = work.convolved(n, sample, first, last);
            rows(norm, n, y, first, last, [=, &norm](long, long o, const V* y, auto go) {
                V total[2] = {}, total_x[2] = {}, m = norm.mean(o);
                go([&](long q, int i, V v) { total[i] += v, total_x[i] += v * (y[q * outputs] - m); });
                sum[o] += total[0] + total[1], sum_x[o] += total_x[0] + total_x[1];
            });
        }
        for (long o = 0; o < outputs; o++) {
            by_beta[o] += __builtin_convertvector(sum[o], D);
            by_gamma[o] += __builtin_convertvector(sum_x[o] * norm.inverse[o], D);
        }
    }

    // The gradient at the convolution's output of one sample's rows, into dy; and its sums, into `sum`.
    template <class N> void differentiate(const N& norm, long n, const V* y, long first, long last) {
        V *dy = this->dy, *sum = this->sum.data();
        long g_row = this->g_row, outputs = this->outputs;
        rows(norm, n, y, first, last, [=, &norm](long h, long o, const V* y, auto go) {
            V total[2] = {}, a, m, mg, mgx;
            if constexpr (N::NORM) a = norm.scale[o], m = norm.mean(o), mg = norm.mean_g[o], mgx = norm.mean_gx[o];
            V* at = dy + h * g_row + o;
            go([&](long q, int i, V v) {
                if constexpr (N::NORM) v = N::input_gradient(v, y[q * outputs] - m, a, mg, mgx);
                total[i] += v;
                at[q * outputs] = v;
            });
            sum[o] += total[0] + total[1];
        });
    }

    // All gradients of one sample; of weights and biases they are added up.
    template <class N, class X> void sample(const N& norm, long n, const X* sample) {
        if (!by_sample) dy = all + n * work.size;
        std::fill(sum.begin(), sum.end(), V{});
        for (long first = 0; first < work.height; first += work.block) {
            long last = std::min(first + work.block, work.height);
            differentiate(norm, n, N::NORM || W::SMOOTH ? work.convolved(n, sample, first, last) : nullptr, first,
                          last);
            if (by_sample)
                weight_gradient(s, sample + first * s.stride * in_row(s), dy + first * g_row, g_row, last - first,
                                to.dw);
        }
        for (long o = 0; o < outputs; o++) bias[o] += __builtin_convertvector(sum[o], D);
        for (long h = 0; to.dx && by_sample && h < s.height; h++)
            transposed.row(dy, g_row, h, to.dx + (n * s.height + h) * s.width * s.inputs);
    }

    void run(NoNorm& norm) {
        if (W::SMOOTH && !work.kept) work.convolve_all(nullptr);
        begin();
        for (long n = 0; n < s.samples; n++) sample(norm, n, work.sample(n));
        finish(false);
    }

    void run(BatchNorm<T>& norm) {
        norm.recall();
        if (!work.kept) work.convolve_all(nullptr);
        for (long n = 0; n < s.samples; n++) sum_sample(norm, n, work.kept ? nullptr : work.sample(n));
        norm.average_gradients(by_gamma, by_beta);
        begin();
        for (long n = 0; n < s.samples; n++) sample(norm, n, work.sample(n));
        finish(true);
    }

    void run(SampleNorm<T>& norm) {
        if (!work.kept) work.convolve_all(nullptr);
        begin();
        for (long n = 0; n < s.samples; n++) {
            const auto* from = work.sample(n);
            norm.measure(work.at_hand = work.convolved(n, from));
            sum_sample(norm, n, from);
            norm.average_gradients(sum, sum_x);
            sample(norm, n, from);
        }
        finish(true);
    }

    void begin() { std::fill_n(to.dw, s.kernel * s.kernel * s.inputs * outputs, V{}); }
    void finish(bool normed) {
        if (work.few) work.few->backward((const V*)work.input.x, work.w, all, to.dx, to.dw);
        for (long o = 0; o < outputs; o++) {
            to.db[o] = __builtin_convertvector(bias[o], V);
            if (!normed) continue;
            to.dgamma[o] = __builtin_convertvector(by_gamma[o], V);
            to.dbeta[o] = __builtin_convertvector(by_beta[o], V);
        }
    }
};
