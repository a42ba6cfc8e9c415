// The norms: their statistics, what they do forward, and what their backward subtracts.
#pragma once

#include "work.h"

// Mean and sum of squared deviations, sample by sample (Chan, Golub & LeVeque 1979), in double.
template <class T> struct Statistics {
    using V = typename Types<T>::V;
    using D = typename Types<T>::D;
    std::vector<D> mean, squares;
    double count = 0;
    explicit Statistics(long outputs) : mean(outputs), squares(outputs) {}

    // Sums of value(output, number) over all positions, output by output; some positions at once, so that a sum is
    // seldom read and written, and memory is read as it lies.
    template <class F> static std::vector<V> totals(const V* y, long positions, long outputs, F value) {
        std::vector<V> sums(outputs);
        long i = 0;
        for (; i + 4 <= positions; i += 4, y += 4 * outputs)
            for (long o = 0; o < outputs; o++)
                sums[o] += (value(o, y[o]) + value(o, y[outputs + o])) +
                           (value(o, y[2 * outputs + o]) + value(o, y[3 * outputs + o]));
        for (; i < positions; i++, y += outputs)
            for (long o = 0; o < outputs; o++) sums[o] += value(o, y[o]);
        return sums;
    }

    void add(const V* y, long positions, long outputs) {
        double n = positions, share = n / (count + n);
        std::vector<V> centre = totals(y, positions, outputs, [](long, V v) { return v; });
        for (V& v : centre) v /= (T)n;
        std::vector<V> square = totals(y, positions, outputs, [of = centre.data()](long o, V v) {
            V d = v - of[o];
            return d * d;
        });
        for (long o = 0; o < outputs; o++) {
            D delta = __builtin_convertvector(centre[o], D) - mean[o];
            mean[o] += delta * share;
            squares[o] += __builtin_convertvector(square[o], D) + delta * delta * (count * share);
        }
        count += n;
    }
};

// A norm has NORM, mean, measure, average_gradients and input_gradient. A new one also gets a `run` in forward.h and in
// backward.h, a case in `with_norm` (lanes.h), and what it is told in `Block` (types.h, kernel.py).

// What a norm does once its statistics are known: y -> scale * y + shift.
template <class T> struct Affine {
    using V = typename Types<T>::V;
    const Block& s;
    const Norm& norm;
    std::vector<V> scale, shift, inverse;
    std::vector<V> mean_g, mean_gx;  // what backward subtracts; of a norm of each sample the scale is in it

    Affine(const Block& s, const Norm& norm)
        : s(s),
          norm(norm),
          scale(s.outputs),
          shift(s.outputs),
          inverse(s.outputs),
          mean_g(s.outputs),
          mean_gx(s.outputs) {}

    void use(long o, V mean, V variance) {
        variance += (T)s.eps;
        for (int l = 0; l < Types<T>::LANES; l++) inverse[o][l] = 1 / std::sqrt(variance[l]);
        scale[o] = ((const V*)norm.gamma)[o] * inverse[o];
        shift[o] = ((const V*)norm.beta)[o] - mean * scale[o];
    }
    V apply(long o, V v) const { return v * scale[o] + shift[o]; }
};

struct NoNorm {
    static constexpr bool NORM = false;
    template <class V> V apply(long, V v) const { return v; }
};

// Over the whole batch. Its statistics are kept from forward to backward.
template <class T> struct BatchNorm : Affine<T> {
    using V = typename Types<T>::V;
    using D = typename Types<T>::D;
    static constexpr bool NORM = true;
    using Affine<T>::Affine;

    V mean(long o) const { return ((const V*)this->norm.mean)[o]; }

    // From what the convolution gives for each sample, which it has to compute first.
    template <class W> void measure(W& work) {
        Statistics<T> statistics(work.outputs);
        std::vector<V> whole(work.kept ? 0 : work.size);
        work.convolve_all((V*)work.kept);
        for (long n = 0; n < work.s.samples; n++) {
            V* to = work.kept ? (V*)work.kept + n * work.size : whole.data();
            const V* y = work.convolve(n, work.sample(n), 0, work.height, to);
            statistics.add(y, work.height * work.width, work.outputs);
        }
        for (long o = 0; o < work.outputs; o++) {
            ((V*)this->norm.mean)[o] = __builtin_convertvector(statistics.mean[o], V);
            ((V*)this->norm.variance)[o] = __builtin_convertvector(statistics.squares[o] / statistics.count, V);
        }
        recall();
    }
    void recall() {
        for (long o = 0; o < this->s.outputs; o++) this->use(o, mean(o), ((const V*)this->norm.variance)[o]);
    }

    // From the sums of the batch, the gradients of scale and shift, and what is subtracted from the rest.
    void average_gradients(const std::vector<D>& by_gamma, const std::vector<D>& by_beta) {
        double count = (double)this->s.samples * rows(this->s) * columns(this->s);
        for (long o = 0; o < this->s.outputs; o++) {
            this->mean_g[o] = __builtin_convertvector(by_beta[o] / count, V);
            this->mean_gx[o] = __builtin_convertvector(by_gamma[o] / count, V) * this->inverse[o];
        }
    }
    static V input_gradient(V v, V deviation, V scale, V mean_g, V mean_gx) {
        return scale * (v - mean_g - deviation * mean_gx);
    }
};

// Of each sample by itself, over groups of channels.
template <class T> struct SampleNorm : Affine<T> {
    using V = typename Types<T>::V;
    using D = typename Types<T>::D;
    static constexpr bool NORM = true;
    std::vector<V> centre = std::vector<V>(this->s.outputs);
    using Affine<T>::Affine;

    V mean(long o) const { return centre[o]; }

    // The statistics of the sample whose convolution gave y become those in use.
    void measure(const V* y) {
        const Block& s = this->s;
        long positions = rows(s) * columns(s), members = s.outputs / s.groups;
        Statistics<T> statistics(s.outputs);
        statistics.add(y, positions, s.outputs);
        for (long first = 0; first < s.outputs; first += members) {
            D middle = {}, variance = {};
            for (long o = first; s.centred && o < first + members; o++) middle += statistics.mean[o] / (double)members;
            for (long o = first; o < first + members; o++) {
                D off = statistics.mean[o] - middle;
                variance += (statistics.squares[o] / (double)positions + off * off) / (double)members;
            }
            for (long o = first; o < first + members; o++) {
                centre[o] = __builtin_convertvector(middle, V);
                this->use(o, centre[o], __builtin_convertvector(variance, V));
            }
        }
    }

    // From the sums of the sample, what is subtracted from its gradient.
    void average_gradients(const std::vector<V>& sum, const std::vector<V>& sum_x) {
        const Block& s = this->s;
        long members = s.outputs / s.groups;
        double count = (double)members * rows(s) * columns(s);
        for (long first = 0; first < s.outputs; first += members) {
            D total = {}, total_x = {};
            for (long o = first; o < first + members; o++) {
                total += __builtin_convertvector(sum[o] * this->scale[o], D);
                total_x += __builtin_convertvector(sum_x[o] * this->scale[o], D);
            }
            for (long o = first; o < first + members; o++) {
                this->mean_g[o] = s.centred ? __builtin_convertvector(total / count, V) : V{};
                this->mean_gx[o] = __builtin_convertvector(total_x / count, V) * this->inverse[o] * this->inverse[o];
            }
        }
    }
    static V input_gradient(V v, V deviation, V scale, V mean_g, V mean_gx) {
        return scale * v - mean_g - deviation * mean_gx;
    }
};
