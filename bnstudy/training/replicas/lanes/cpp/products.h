// Sums of products: a row of a convolution, and the gradient of its weights.
#pragma once

#include "types.h"

// P neighbouring positions by O outputs, kept in registers. In a row of the image the window's columns and channels
// lie one after the other: `span` of them.
template <class X, class V, int P, int O>
static inline void tile(const X* x, long row, long hop, const V* w, long outputs, long kernel, long span, const V* bias,
                        V* y) {
    V sum[P][O];
    UNROLL
    for (int o = 0; o < O; o++) {
        V b = bias ? bias[o] : V{};
        UNROLL
        for (int p = 0; p < P; p++) sum[p][o] = b;
    }
    for (long k = 0; k < kernel; k++, x += row)
        for (long j = 0; j < span; j++, w += outputs) {
            V by[O];
            UNROLL
            for (int o = 0; o < O; o++) {
                by[o] = w[o];
                KEEP(by[o]);
            }
            UNROLL
            for (int p = 0; p < P; p++) {
                V v = spread<V>(x[p * hop + j]);
                KEEP(v);
                UNROLL
                for (int o = 0; o < O; o++) sum[p][o] += v * by[o];
            }
        }
    UNROLL
    for (int p = 0; p < P; p++) {
        UNROLL
        for (int o = 0; o < O; o++) y[p * outputs + o] = sum[p][o];
    }
}

template <class X, class V, int O>
static inline void tiles(const X* x, long row, long hop, const V* w, long outputs, long kernel, long width,
                         const V* bias, V* y) {
    long q = 0, span = kernel * hop;
    auto next = [&](auto P) {
        tile<X, V, P.value, O>(x + q * hop, row, hop, w, outputs, kernel, span, bias, y + q * outputs);
        q += P.value;
    };
    while (q + 4 <= width) next(std::integral_constant<int, 4>());
    if (q + 2 <= width) next(std::integral_constant<int, 2>());
    if (q < width) next(std::integral_constant<int, 1>());
}

// One row of outputs from `kernel` rows of padded inputs, `hop` channels a position.
template <class X, class V>
static void correlate(const X* x, long row, long hop, const V* w, long outputs, long kernel, long width, const V* bias,
                      V* y) {
    for (long o = 0; o < outputs; o += TILE)
        with_number(std::min<long>(TILE, outputs - o), [&](auto O) {
            tiles<X, V, O.value>(x, row, hop, w + o, outputs, kernel, width, bias ? bias + o : nullptr, y + o);
        });
}

// K rows by J inputs of the window by O outputs of the weight gradient, summed over some rows.
template <class X, class V, int K, int J, int O>
static inline void outer(const X* x, long row, long hop, const V* g, long g_row, long outputs, long rows, long width,
                         V* dw, long dw_row) {
    V sum[K][J][O] = {};
    for (long h = 0; h < rows; h++) {
        const X* xs = x + h * row;
        const V* gs = g + h * g_row;
        for (long q = 0; q < width; q++, xs += hop, gs += outputs) {
            V by[O];
            UNROLL
            for (int o = 0; o < O; o++) {
                by[o] = gs[o];
                KEEP(by[o]);
            }
            UNROLL
            for (int k = 0; k < K; k++) {
                UNROLL
                for (int j = 0; j < J; j++) {
                    V v = spread<V>(xs[k * row + j]);
                    KEEP(v);
                    UNROLL
                    for (int o = 0; o < O; o++) sum[k][j][o] += v * by[o];
                }
            }
        }
    }
    UNROLL
    for (int k = 0; k < K; k++) {
        UNROLL
        for (int j = 0; j < J; j++) {
            UNROLL
            for (int o = 0; o < O; o++) dw[k * dw_row + j * outputs + o] += sum[k][j][o];
        }
    }
}

// The weight gradient of some rows of one sample.
template <class X, class V>
static void weight_gradient(const Block& s, const X* x, const V* g, long g_row, long rows, V* dw) {
    long row = in_row(s), span = s.kernel * s.inputs, dw_row = span * s.outputs;
    auto sum = [&](auto run, long k, long j, long o) {
        V* to = dw + k * dw_row + j * s.outputs + o;
        run(x + k * row + j, row, s.inputs, g + o, g_row, s.outputs, rows, s.width, to, dw_row);
    };
    if (s.kernel == 3 && s.inputs == 1) {  // a whole window of one channel fits the registers
        long o = 0;
        for (; o + 2 <= s.outputs; o += 2) sum(outer<X, V, 3, 3, 2>, 0, 0, o);
        if (o < s.outputs) sum(outer<X, V, 3, 3, 1>, 0, 0, o);
        return;
    }
    for (long k = 0; k < s.kernel; k++)
        for (long j = 0; j < span; j += TILE)
            for (long o = 0; o < s.outputs; o += TILE)
                with_number(std::min<long>(TILE, span - j), [&](auto J) {
                    with_number(std::min<long>(TILE, s.outputs - o),
                                [&](auto O) { sum(outer<X, V, 1, J.value, O.value>, k, j, o); });
                });
}

// A few rows at a time, so that they stay in the first-level cache. As many whoever shares the input: sums are taken
// block by block, and a run must not depend on its neighbours, nor on how wide registers are.
static long rows_together(const Block& s) {
    return std::max<long>(1, CACHE / (s.width * (s.outputs + s.inputs) * LINE));
}
