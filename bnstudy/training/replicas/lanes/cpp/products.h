// Sums of products: a row of a convolution, and the gradient of its weights.
#pragma once

#include "types.h"

// Calls f with the first of some outputs, and how many there are: a number that the compiler knows. The last two tiles
// share what is left, since a tile of one output waits for its sums.
template <class F> static inline void each_tile(long outputs, F f) {
    for (long o = 0, some; o < outputs; o += some) {
        long left = outputs - o;
        some = left > TILE && left < 2 * TILE ? (left + 1) / 2 : std::min<long>(TILE, left);
        with_number(some, [&](auto O) { f(o, O); });
    }
}

// P positions by O outputs, kept in registers. In a row of the image the window's columns and channels lie one after
// the other: `span` of them, and `hop` to the next window. Sums begin with what stands at `start`, as far apart as
// `start_hop` says, or with nothing.
template <class X, class V, int P, int O>
static inline void tile(const X* x, long row, long hop, const V* w, long outputs, long kernel, long span,
                        const V* start, long start_hop, V* y, long y_hop) {
    V sum[P][O];
    UNROLL
    for (int p = 0; p < P; p++) {
        UNROLL
        for (int o = 0; o < O; o++) sum[p][o] = start ? start[p * start_hop + o] : V{};
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
        for (int o = 0; o < O; o++) y[p * y_hop + o] = sum[p][o];
    }
}

template <class X, class V, int O>
static inline void tiles(const X* x, long row, long hop, const V* w, long outputs, long kernel, long span, long width,
                         const V* start, long start_hop, V* y, long y_hop) {
    long q = 0;
    auto next = [&](auto P) {
        tile<X, V, P.value, O>(x + q * hop, row, hop, w, outputs, kernel, span, start ? start + q * start_hop : nullptr,
                               start_hop, y + q * y_hop, y_hop);
        q += P.value;
    };
    while (q + 4 <= width) next(std::integral_constant<int, 4>());
    if (q + 2 <= width) next(std::integral_constant<int, 2>());
    if (q < width) next(std::integral_constant<int, 1>());
}

// `width` positions of outputs, `y_hop` apart, from `kernel` rows of padded inputs.
template <class X, class V>
static void correlate(const X* x, long row, long hop, const V* w, long outputs, long kernel, long span, long width,
                      const V* bias, V* y, long y_hop) {
    each_tile(outputs, [&](long o, auto O) {
        tiles<X, V, O.value>(x, row, hop, w + o, outputs, kernel, span, width, bias ? bias + o : nullptr, 0, y + o,
                             y_hop);
    });
}

// P rows by O columns of a product's sums, kept in registers, from panels in which they lie side by side.
template <class X, class V, int P, int O>
static inline void multiply(long terms, const X* x, const V* by, V (&total)[P][O]) {
    V sum[P][O];
    UNROLL
    for (int m = 0; m < P; m++) {
        UNROLL
        for (int o = 0; o < O; o++) sum[m][o] = total[m][o];
    }
    for (long k = 0; k < terms; k++, x += P, by += O) {
        V w[O];
        UNROLL
        for (int o = 0; o < O; o++) {
            w[o] = by[o];
            KEEP(w[o]);
        }
        UNROLL
        for (int m = 0; m < P; m++) {
            V v = spread<V>(x[m]);
            KEEP(v);
            UNROLL
            for (int o = 0; o < O; o++) sum[m][o] += v * w[o];
        }
    }
    UNROLL
    for (int m = 0; m < P; m++) {
        UNROLL
        for (int o = 0; o < O; o++) total[m][o] = sum[m][o];
    }
}

// K rows by J inputs of the window by O outputs of the weight gradient, summed over some rows of outputs.
template <class X, class V, int K, int J, int O>
static inline void outer(const X* x, long row, long hop, long down, const V* g, long g_row, long outputs, long rows,
                         long width, V* dw, long dw_row) {
    V sum[K][J][O] = {};
    for (long h = 0; h < rows; h++) {
        const X* xs = x + h * down;
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
    long row = in_row(s), span = s.kernel * s.inputs, dw_row = span * s.outputs, width = columns(s);
    auto sum = [&](auto run, long k, long j, long o) {
        V* to = dw + k * dw_row + j * s.outputs + o;
        run(x + k * row + j, row, s.stride * s.inputs, s.stride * row, g + o, g_row, s.outputs, rows, width, to,
            dw_row);
    };
    if (s.kernel == 3 && s.inputs == 1) {  // a whole window of one channel fits the registers
        long o = 0;
        for (; o + 2 <= s.outputs; o += 2) sum(outer<X, V, 3, 3, 2>, 0, 0, o);
        if (o < s.outputs) sum(outer<X, V, 3, 3, 1>, 0, 0, o);
        return;
    }
    for (long j = 0; j < span; j += TILE)
        with_number(std::min<long>(TILE, span - j), [&](auto J) {
            for (long k = 0; k < s.kernel;) {  // few inputs at the end of a row: of some rows at once
                const long together = J.value == 1 ? TILE : J.value == 2 && TILE == 4 ? 2 : 1;
                with_number(std::min(together, s.kernel - k), [&](auto K) {
                    constexpr int fits = K.value * J.value <= TILE ? K.value : 1;
                    each_tile(s.outputs, [&](long o, auto O) { sum(outer<X, V, fits, J.value, O.value>, k, j, o); });
                    k += fits;
                });
            }
        });
}

// The gradient of a row of inputs, from that of all outputs. Stride puts inputs into phases: one sees every stride-th
// weight alone, and among its own kind it is a plain convolution with those, turned around.
template <class V> struct Transposed {
    const Block& s;
    long before = std::max(0L, (s.kernel - 1) / s.stride - s.padding / s.stride);  // zeros around the gradient
    long below = after(s.height), right = after(s.width);
    std::vector<V> weights;  // phase by phase
    std::vector<long> starts;

    Transposed(const Block& s, const V* w) : s(s) {
        if (!w) return;
        weights.reserve(s.kernel * s.kernel * s.inputs * s.outputs);
        for (long a = 0; a < s.stride; a++)
            for (long b = 0; b < s.stride; b++) {
                starts.push_back(weights.size());
                for (long k = taps(a) - 1; k >= 0; k--)
                    for (long l = taps(b) - 1; l >= 0; l--)
                        for (long o = 0; o < s.outputs; o++)
                            for (long i = 0; i < s.inputs; i++)
                                weights.push_back(
                                    w[(((a + k * s.stride) * s.kernel + b + l * s.stride) * s.inputs + i) * s.outputs +
                                      o]);
            }
    }
    // A division takes as long as thirty sums of products, and there is mostly nothing to divide by.
    long place(long at) const { return s.stride == 1 ? at : at / s.stride; }
    long phase(long at) const { return s.stride == 1 ? 0 : at % s.stride; }
    long taps(long phase) const { return phase < s.kernel ? place(s.kernel - 1 - phase) + 1 : 0; }
    long after(long size) const { return std::max(0L, (size - 1 + s.padding) / s.stride - (places(s, size) - 1)); }

    // Row h of inputs. g: the gradient at the first output, in rows of g_row with the zeros around them.
    void row(const V* g, long g_row, long h, V* dx) const {
        long y = h + s.padding, a = phase(y);
        if (starts.size() > 1) std::fill_n(dx, s.width * s.inputs, V{});
        for (long q = 0; q < std::min(s.stride, s.width); q++) {
            long x = q + s.padding, b = phase(x), count = place(s.width - q - 1) + 1;
            if (!taps(a) || !taps(b)) continue;
            const V* first = g + (place(y) - taps(a) + 1) * g_row + (place(x) - taps(b) + 1) * s.outputs;
            correlate(first, g_row, s.outputs, weights.data() + starts[a * s.stride + b], s.inputs, taps(a),
                      taps(b) * s.outputs, count, (const V*)nullptr, dx + q * s.inputs, s.stride * s.inputs);
        }
    }
};

// A few rows at a time, so that they stay in the first-level cache. As many whoever shares the input: sums are taken
// block by block, and a run must not depend on its neighbours, nor on how wide registers are.
static long rows_together(const Block& s) {
    return std::max<long>(1, CACHE / ((columns(s) * s.outputs + s.stride * s.width * s.inputs) * LINE));
}
