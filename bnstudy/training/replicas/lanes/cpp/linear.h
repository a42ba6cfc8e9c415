// Linear layers: dense products, and those of an input that is mostly background.
//
// Weights lie (input, output, replica), so that a row holds outputs * packs registers, register o * packs + p for
// output o of pack p; rows are `row` registers apart, a little more than they hold, since powers of two share few lines
// of the caches. Sums run over their terms in ascending order whatever the tiles and blocks are: no number depends on
// them.
#pragma once

#include "products.h"
#include "sparse.h"

constexpr long TERMS = 128;  // of a sum, at a time: two panels of them fit the first-level cache

// C[m][n] = start(m, n) + sum over k of a(k, m) * b(k, n), handed to finish(m, n, sum). `together` terms at a time.
template <class X, class V, class A, class B, class S, class F>
static void product(long M, long N, long K, long together, A a, B b, S start, F finish) {
    constexpr int P = TILE == 4 ? 6 : 4, O = TILE;
    constexpr long WIDE = 16 * O;
    long blocks = (K + together - 1) / together, most = (K + blocks - 1) / std::max(blocks, 1L);
    std::vector<V> partial(blocks > 1 ? M * N : 0), panels(most * WIDE);
    std::vector<X> panel(most * P);
    for (long k0 = 0; k0 < K; k0 += most) {
        long terms = std::min(most, K - k0);
        bool first = k0 == 0, last = k0 + terms == K;
        for (long n0 = 0; n0 < N; n0 += WIDE) {
            long columns = std::min(WIDE, N - n0);
            for (long n = 0; n < (columns + O - 1) / O * O; n++)
                for (long k = 0; k < terms; k++)
                    panels[(n / O * terms + k) * O + n % O] = n < columns ? b(k0 + k, n0 + n) : V{};
            for (long m0 = 0; m0 < M; m0 += P) {
                long rows = std::min<long>(P, M - m0);
                for (long k = 0; k < terms; k++)
                    for (long m = 0; m < P; m++) panel[k * P + m] = m < rows ? a(k0 + k, m0 + m) : X{};
                for (long n = 0; n < columns; n += O) {
                    V sum[P][O] = {};
                    long some = std::min<long>(O, columns - n);
                    for (long m = 0; m < rows; m++)
                        for (long o = 0; o < some; o++)
                            sum[m][o] = first ? start(m0 + m, n0 + n + o) : partial[(m0 + m) * N + n0 + n + o];
                    const V* by = panels.data() + n * terms;
                    const X* x = panel.data();
                    multiply<X, V, P, O>(terms, x, by, sum);
                    for (long m = 0; m < rows; m++)
                        for (long o = 0; o < some; o++) {
                            if (last) finish(m0 + m, n0 + n + o, sum[m][o]);
                            else partial[(m0 + m) * N + n0 + n + o] = sum[m][o];
                        }
                }
            }
        }
    }
}

// ------------------------------------------------------------------ a mostly empty input

// Sums of W neighbouring registers of a row, for each sample: base + sum of what differs. `put(k, n, sum)` takes them.
template <int W, class X, class V, class F>
static inline void gather(const Index<X>& index, const V* w, long row, const Linear& s, const V* base, F put) {
    const long samples = s.samples, inputs = s.inputs;
    const Pair<X>* at = index.pairs.data();
    long fetched = 0;
    for (long n = 0; n < samples; n += 2) {
        for (; fetched < inputs && fetched * samples < (n + 2) * inputs; fetched++)  // the neighbours, which are next
            for (long k = 0; k < W; k += 64 / sizeof(V)) __builtin_prefetch(w + fetched * row + W + k, 0, 2);
        V first[W], second[W];
        UNROLL
        for (int k = 0; k < W; k++) first[k] = second[k] = base[k];
        for (const Pair<X>* end = index.pairs.data() + index.pairs_end[n / 2]; at < end; at++) {
            const V *from = w + at->input * row, *next = w + at[AHEAD].input * row;
            V a = spread<V>(at->first), b = spread<V>(at->second);
            KEEP(a);
            KEEP(b);
            UNROLL
            for (int k = 0; k < W; k++) {
                V v = from[k];
                KEEP(v);
                first[k] += v * a;
                second[k] += v * b;
                if (k * sizeof(V) % 64 == 0) __builtin_prefetch(next + k);
            }
        }
        UNROLL
        for (int k = 0; k < W; k++) {
            put(k, n, first[k]);
            if (n + 1 < samples) put(k, n + 1, second[k]);
        }
    }
}

// The gradient of W neighbouring registers of every row, from that of their outputs, side by side in `g`:
// `use(i, k, sum)` takes them, input by input, some inputs at a time: what it does to memory would stall the sums.
// `soon(i)` says which are next.
template <int W, class X, class V, class T, class F, class N>
static inline void scatter(const Index<X>& index, const V* g, long inputs, long samples, T background, F use, N soon) {
    constexpr long TOGETHER = 16;
    V shared[W] = {}, sums[TOGETHER][W];
    for (long n = 0; n < samples; n++) {
        UNROLL
        for (int k = 0; k < W; k++) shared[k] += g[n * W + k];
    }
    UNROLL
    for (int k = 0; k < W; k++) shared[k] *= background;
    const Entry<X>* at = index.entries.data();
    for (long start = 0; start < inputs; start += TOGETHER) {
        long stop = std::min(start + TOGETHER, inputs);
        for (long i = start; i < stop; i++) {
            soon(i);
            V sum[W];
            UNROLL
            for (int k = 0; k < W; k++) sum[k] = shared[k];
            for (const Entry<X>* end = index.entries.data() + index.entries_end[i]; at < end; at++) {
                V v = spread<V>(at->value);
                KEEP(v);
                const V* from = g + at->sample * W;
                UNROLL
                for (int k = 0; k < W; k++) sum[k] += v * from[k];
            }
            UNROLL
            for (int k = 0; k < W; k++) sums[i - start][k] = sum[k];
        }
        for (long i = start; i < stop; i++) {
            UNROLL
            for (int k = 0; k < W; k++) use(i, k, sums[i - start][k]);
        }
    }
}
