// A linear layer in both directions, from an input of every lane's own, a shared one, or a mostly empty one.
#pragma once

#include "linear.h"

template <class T> struct Layer {
    using V = typename Types<T>::V;
    using D = typename Types<T>::D;
    using I = typename Types<T>::I;
    static constexpr int LANES = Types<T>::LANES;
    const Linear& s;
    const void* x;
    const Sparse<T>* sparse;  // null: the input is dense

    long weights(long i) const { return (s.order ? s.order[i] : i) * s.row; }
    // Where an output's register lies in a signal, and where the register r of a row does.
    long place(long p, long n, long o) const { return (p * s.samples + n) * s.outputs + o; }
    long place(long r, long n) const { return place(r % s.packs, n, r / s.packs); }

    // Calls f with what gives input i of sample n to a pack: a number for all its lanes, or a register.
    template <class F> void with_input(long p, F f) const {
        const long inputs = s.inputs, samples = s.samples;
        const int32_t* group = s.sharing == 2 ? s.group + p * LANES : nullptr;
        if (s.sharing == 0) {
            const V* own = (const V*)x + p * samples * inputs;
            f([=](long n, long i) { return own[n * inputs + i]; });
        } else if (Sparse<T>::is_whole(group)) {
            const T* from = (const T*)x + (group ? group[0] : 0) * samples * inputs;
            f([=](long n, long i) { return from[n * inputs + i]; });
        } else {
            std::vector<V> mixed(samples * inputs);
            for (int l = 0; l < LANES; l++) {
                const T* from = (const T*)x + group[l] * samples * inputs;
                for (long k = 0; k < samples * inputs; k++) mixed[k][l] = from[k];
            }
            f([&, from = mixed.data()](long n, long i) { return from[n * inputs + i]; });
        }
    }

    // What the layer gives; where there is a scale, times it and shifted; and rectified where that is asked for.
    void forward(const V* w, const V* bias, const V* row_sums, const V* scale, const V* shift, V* y) const {
        auto finished = [=, relu = s.relu](long r, V v) {
            if (scale) v = v * scale[r] + shift[r];
            return relu ? rectified(v) : v;
        };
        if (sparse) {
            T c = (T)s.background;
            std::vector<V> tile(s.inputs * WIDE);
            sparse->template each<WIDE>(s, [&](auto& index, long r, auto hop, auto W) {
                long at[W.value];
                V base[W.value];
                for (int k = 0; k < W.value; k++) {
                    base[k] = bias[r + k * hop] + c * row_sums[r + k * hop];
                    at[k] = place(r + k * hop, 0);
                }
                const V* from = w + r;
                long row = s.row;
                if (hop > 1) {  // side by side, so that lines are read that hold nothing else
                    for (long i = 0; i < s.inputs; i++)
                        for (int k = 0; k < W.value; k++) tile[i * W.value + k] = w[i * s.row + r + k * hop];
                    from = tile.data(), row = W.value;
                }
                gather<W.value>(index, from, row, s, base,
                                [&](int k, long n, V v) { y[at[k] + n * s.outputs] = finished(r + k * hop, v); });
            });
            return;
        }
        for (long p = 0; p < s.packs; p++)
            with_input(p, [&](auto from) {
                using X = decltype(from(0, 0));
                product<X, V>(
                    s.samples, s.outputs, s.inputs, TERMS, [&](long i, long n) { return from(n, i); },
                    [&](long i, long o) { return w[weights(i) + o * s.packs + p]; },
                    [&](long, long o) { return bias[o * s.packs + p]; },
                    [&](long n, long o, V v) { y[place(p, n, o)] = finished(o * s.packs + p, v); });
            });
    }

    // From the gradient of what the layer gives, that of its input.
    void input_gradient(const V* w, const V* g, V* dx) const {
        for (long p = 0; p < s.packs; p++)
            product<V, V>(
                s.samples, s.inputs, s.outputs, TERMS, [&](long o, long n) { return g[place(p, n, o)]; },
                [&](long o, long i) { return w[weights(i) + o * s.packs + p]; }, [](long, long) { return V{}; },
                [&](long n, long i, V v) { dx[(p * s.samples + n) * s.inputs + i] = v; });
    }

    // That of its weights, register by register, to `to`: see below.
    template <class To> void weight_gradient(const V* g, To to) const {
        if (sparse) {
            T c = (T)s.background;
            std::vector<V> local(s.samples * WIDE_BACK);
            sparse->template each<WIDE_BACK>(s, [&](auto& index, long r, auto hop, auto W) {
                for (int k = 0; k < W.value; k++) {
                    const V* from = g + place(r + k * hop, 0);
                    for (long n = 0; n < s.samples; n++) local[n * W.value + k] = from[n * s.outputs];
                }
                typename To::template Some<W.value> some(to, r, hop, s.packs);
                scatter<W.value>(
                    index, local.data(), s.inputs, s.samples, c,
                    [&](long i, int k, V v) { some.take(i * s.row + r + k * hop, k, v); },
                    [&](long i) { some.soon(i * s.row + r, hop); });
                some.finish(r, hop);
            });
            return;
        }
        for (long p = 0; p < s.packs; p++)
            with_input(p, [&](auto from) {
                using X = decltype(from(0, 0));
                typename To::template Some<1> some(to, p, 1, s.packs);
                product<X, V>(
                    s.inputs, s.outputs, s.samples, s.samples, [&](long n, long i) { return from(n, i); },
                    [&](long n, long o) { return g[place(p, n, o)]; }, [](long, long) { return V{}; },
                    [&](long i, long o, V v) { some.take(weights(i) + o * s.packs + p, 0, v); });
                some.finish(p, 1);
            });
    }
};

// The gradient is written.
template <class T> struct Write {
    using V = typename Types<T>::V;
    V* dw;
    template <int W> struct Some {
        V* dw;
        Some(Write& to, long, long, long) : dw(to.dw) {}
        inline void take(long at, int, V v) { dw[at] = v; }
        inline void soon(long, long) {}
        void finish(long, long) {}
    };
};

// The gradient moves the weights at once, and is not kept: v = keep v + g + decay w, w = w - rate v.
template <class T> struct Descend {
    using V = typename Types<T>::V;
    using D = typename Types<T>::D;
    const Descent& by;
    V* w;
    template <int W> struct Some {
        const Descent& by;
        V *w, *m;
        V rate[W], sums[W] = {};
        D squares[W] = {};
        T keep, decay;
        long packs;
        bool measured;
        Some(Descend& to, long r, long hop, long packs)
            : by(to.by),
              w(to.w),
              m((V*)to.by.momentum),
              keep((T)to.by.keep),
              decay((T)to.by.decay),
              packs(packs),
              measured(to.by.squares) {
            for (int k = 0; k < W; k++) rate[k] = ((const V*)by.rate)[(r + k * hop) % packs];
        }
        inline void soon(long at, long hop) {
            for (int k = 0; k < W; k++) {
                if (k * hop * sizeof(V) % 64) continue;
                __builtin_prefetch(w + at + k * hop, 1);
                __builtin_prefetch(m + at + k * hop, 1);
            }
        }
        inline void take(long at, int k, V g) {
            if (measured) {
                D d = __builtin_convertvector(g, D);
                squares[k] += d * d;
            }
            V was = w[at];
            g += decay * was;
            m[at] = g += keep * m[at];
            w[at] = was -= rate[k] * g;
            sums[k] += was;
        }
        void finish(long r, long hop) {
            for (int k = 0; k < W; k++) {
                if (by.row_sums) ((V*)by.row_sums)[r + k * hop] = sums[k];
                for (int l = 0; measured && l < Types<T>::LANES; l++)
                    by.squares[(r + k * hop) % packs * Types<T>::LANES + l] += squares[k][l];
            }
        }
    };
};
