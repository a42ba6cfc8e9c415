// Replicas as SIMD lanes. Small networks starve a convolution library: four channels do not fill a vector register.
// Replicas do, whatever the channel count, so here the replica is the innermost axis of every tensor and each
// multiply-add works on one value of each of them. No lane ever meets another: a NaN stays where it is. Replicas that
// share a register are a pack; all tensors but a shared input begin with an axis of packs, done one after the other.
//
// One block = same-padded convolution -> [batch norm] -> [ReLU] -> [2x2 average pooling], forward and backward, one
// thread. A linear layer is a 1x1 convolution over one image whose width is the batch. Layouts, last axis fastest:
//   x (sample, row, column, input, lane)   w (kernel row, kernel column, input, output, lane)   b, statistics (output, lane)
// The network's own input has no lanes: it is shared by all of them, or by groups of them.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <type_traits>
#include <vector>

#if defined(__AVX512VL__)
constexpr int BYTES = 32, TILE = 4;  // 32 registers hold 4 x 4 sums, 4 weights and an input; wider ones outgrow the caches
#elif defined(__AVX__)
constexpr int BYTES = 32, TILE = 3;
#elif defined(__aarch64__)
constexpr int BYTES = 16, TILE = 4;
#else
constexpr int BYTES = 16, TILE = 3;
#endif
constexpr long CACHE = 24 * 1024;  // bytes of the first-level cache to plan with

template <class T> struct Types {
    static constexpr int LANES = BYTES / sizeof(T);
    typedef T V __attribute__((vector_size(BYTES)));                     // one value of each replica
    typedef double D __attribute__((vector_size(LANES * sizeof(double))));  // the same, for long sums
    using Int = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;
    typedef Int I __attribute__((vector_size(BYTES)));  // what comparing two V gives
};

extern "C" {
struct Block {
    int64_t samples, height, width, inputs, outputs, kernel;
    int64_t relu, pool;     // whether there is a ReLU; 2 if pooled, else 1
    int64_t sharing;        // who sees an input: 0 each lane its own, 1 all the same, 2 as `group` says
    const int32_t* group;   // (pack, lane): which of the stacked inputs it sees
    double eps;
    int64_t packs;  // how many registers of replicas there are
};
struct Norm {
    const void *gamma, *beta;  // (output, lane); gamma null: no batch norm
    void *mean, *variance;     // (output, lane), biased
};
}

static long padding(const Block& s) { return s.kernel / 2; }
static long in_row(const Block& s) { return (s.width + 2 * padding(s)) * s.inputs; }

// ------------------------------------------------------------------ sums of products

// Keep a value in a register: compilers prefer to read it from memory again, one read a multiply-add.
#if defined(__AVX512VL__)
#define KEEP(v) asm("" : "+v"(v))
#elif defined(__x86_64__)
#define KEEP(v) asm("" : "+x"(v))
#elif defined(__aarch64__)
#define KEEP(v) asm("" : "+w"(v))
#else
#define KEEP(v)
#endif
#define UNROLL _Pragma("GCC unroll 16")

template <class V> static inline V spread(V v) { return v; }
template <class V> static inline V spread(float v) { return V{} + v; }
template <class V> static inline V spread(double v) { return V{} + v; }

// P neighbouring positions by O outputs, kept in registers. In a row of the image the window's columns and channels
// lie one after the other: `span` of them.
template <class X, class V, int P, int O>
static inline void tile(const X* x, long row, long hop, const V* w, long outputs, long kernel, long span, const V* bias, V* y) {
    V sum[P][O];
    UNROLL for (int o = 0; o < O; o++) {
        V b = bias ? bias[o] : V{};
        UNROLL for (int p = 0; p < P; p++) sum[p][o] = b;
    }
    for (long k = 0; k < kernel; k++, x += row)
        for (long j = 0; j < span; j++, w += outputs) {
            V by[O];
            UNROLL for (int o = 0; o < O; o++) {
                by[o] = w[o];
                KEEP(by[o]);
            }
            UNROLL for (int p = 0; p < P; p++) {
                V v = spread<V>(x[p * hop + j]);
                KEEP(v);
                UNROLL for (int o = 0; o < O; o++) sum[p][o] += v * by[o];
            }
        }
    UNROLL for (int p = 0; p < P; p++)
        UNROLL for (int o = 0; o < O; o++) y[p * outputs + o] = sum[p][o];
}

template <class X, class V, int O>
static inline void tiles(const X* x, long row, long hop, const V* w, long outputs, long kernel, long width, const V* bias, V* y) {
    long q = 0, span = kernel * hop;
    for (; q + 4 <= width; q += 4) tile<X, V, 4, O>(x + q * hop, row, hop, w, outputs, kernel, span, bias, y + q * outputs);
    if (width - q >= 2) tile<X, V, 2, O>(x + q * hop, row, hop, w, outputs, kernel, span, bias, y + q * outputs), q += 2;
    if (q < width) tile<X, V, 1, O>(x + q * hop, row, hop, w, outputs, kernel, span, bias, y + q * outputs);
}

// One row of outputs from `kernel` rows of padded inputs, `hop` channels a position.
template <class X, class V>
static void correlate(const X* x, long row, long hop, const V* w, long outputs, long kernel, long width, const V* bias, V* y) {
    for (long o = 0; o < outputs;) {
        const V* b = bias ? bias + o : nullptr;
        long left = std::min<long>(TILE, outputs - o);
        if (left == 4) tiles<X, V, 4>(x, row, hop, w + o, outputs, kernel, width, b, y + o);
        else if (left == 3) tiles<X, V, 3>(x, row, hop, w + o, outputs, kernel, width, b, y + o);
        else if (left == 2) tiles<X, V, 2>(x, row, hop, w + o, outputs, kernel, width, b, y + o);
        else tiles<X, V, 1>(x, row, hop, w + o, outputs, kernel, width, b, y + o);
        o += left;
    }
}

// K rows by J inputs of the window by O outputs of the weight gradient, summed over some rows.
template <class X, class V, int K, int J, int O>
static inline void outer(const X* x, long row, long hop, const V* g, long g_row, long outputs, long rows, long width, V* dw, long dw_row) {
    V sum[K][J][O] = {};
    for (long h = 0; h < rows; h++) {
        const X* xs = x + h * row;
        const V* gs = g + h * g_row;
        for (long q = 0; q < width; q++, xs += hop, gs += outputs) {
            V by[O];
            UNROLL for (int o = 0; o < O; o++) {
                by[o] = gs[o];
                KEEP(by[o]);
            }
            UNROLL for (int k = 0; k < K; k++)
                UNROLL for (int j = 0; j < J; j++) {
                    V v = spread<V>(xs[k * row + j]);
                    KEEP(v);
                    UNROLL for (int o = 0; o < O; o++) sum[k][j][o] += v * by[o];
                }
        }
    }
    UNROLL for (int k = 0; k < K; k++)
        UNROLL for (int j = 0; j < J; j++)
            UNROLL for (int o = 0; o < O; o++) dw[k * dw_row + j * outputs + o] += sum[k][j][o];
}

// The weight gradient of some rows of one sample.
template <class X, class V>
static void weight_gradient(const Block& s, const X* x, const V* g, long g_row, long rows, V* dw) {
    long row = in_row(s), span = s.kernel * s.inputs, dw_row = span * s.outputs;
    auto all = [&](auto run, long k, long j, long o) { run(x + k * row + j, row, s.inputs, g + o, g_row, s.outputs, rows, s.width, dw + k * dw_row + j * s.outputs + o, dw_row); };
    if (s.kernel == 3 && s.inputs == 1) {  // a whole window of one channel fits the registers
        long o = 0;
        for (; o + 2 <= s.outputs; o += 2) all(outer<X, V, 3, 3, 2>, 0, 0, o);
        if (o < s.outputs) all(outer<X, V, 3, 3, 1>, 0, 0, o);
        return;
    }
    for (long k = 0; k < s.kernel; k++)
        for (long j = 0; j < span; j += TILE)
            for (long o = 0; o < s.outputs; o += TILE) {
                long inputs = std::min<long>(TILE, span - j), outputs = std::min<long>(TILE, s.outputs - o);
                auto of = [&](auto J) {
                    if (outputs == 4) all(outer<X, V, 1, J.value, 4>, k, j, o);
                    else if (outputs == 3) all(outer<X, V, 1, J.value, 3>, k, j, o);
                    else if (outputs == 2) all(outer<X, V, 1, J.value, 2>, k, j, o);
                    else all(outer<X, V, 1, J.value, 1>, k, j, o);
                };
                if (inputs == 4) of(std::integral_constant<int, 4>());
                else if (inputs == 3) of(std::integral_constant<int, 3>());
                else if (inputs == 2) of(std::integral_constant<int, 2>());
                else of(std::integral_constant<int, 1>());
            }
}

// A few rows at a time, so that they stay in the first-level cache.
static long rows_together(const Block& s, long lane_bytes) {
    return std::max<long>(1, CACHE / (s.width * (s.outputs + (s.sharing == 1 ? 0 : s.inputs)) * lane_bytes));
}

// ------------------------------------------------------------------ one sample's input, with its border of zeros

template <class X> struct Padded {
    std::vector<X> buffer;
    explicit Padded(const Block& s) : buffer((s.height + 2 * padding(s)) * in_row(s)) {}

    template <class F> const X* fill(const Block& s, F value) {
        long pad = padding(s), row = in_row(s);
        for (long h = 0; h < s.height; h++)
            for (long i = 0; i < s.width * s.inputs; i++)
                buffer[(h + pad) * row + pad * s.inputs + i] = value(h * s.width * s.inputs + i);
        return buffer.data();
    }
};

template <class T> struct SharedInput {
    using X = T;
    const T* x;
    Padded<T> padded;
    SharedInput(const Block& s, const void* x) : x((const T*)x), padded(s) {}
    const T* sample(const Block& s, long n) {
        const T* from = x + n * s.height * s.width * s.inputs;
        return padding(s) ? padded.fill(s, [=](long i) { return from[i]; }) : from;
    }
};

template <class T> struct OwnInput {
    using V = typename Types<T>::V;
    using X = V;
    const V* x;
    Padded<V> padded;
    OwnInput(const Block& s, const void* x) : x((const V*)x), padded(s) {}
    const V* sample(const Block& s, long n) {
        const V* from = x + n * s.height * s.width * s.inputs;
        return padding(s) ? padded.fill(s, [=](long i) { return from[i]; }) : from;
    }
};

template <class T> struct GroupedInput {
    using V = typename Types<T>::V;
    using X = V;
    const T* x;
    Padded<V> padded;
    GroupedInput(const Block& s, const void* x) : x((const T*)x), padded(s) {}
    const V* sample(const Block& s, long n) {
        long size = s.height * s.width * s.inputs;
        const T* from[Types<T>::LANES];
        for (int l = 0; l < Types<T>::LANES; l++) from[l] = x + (s.group[l] * s.samples + n) * size;
        return padded.fill(s, [&](long i) {
            V v;
            for (int l = 0; l < Types<T>::LANES; l++) v[l] = from[l][i];
            return v;
        });
    }
};

// ------------------------------------------------------------------ batch norm

// Mean and sum of squared deviations, sample by sample (Chan, Golub & LeVeque 1979), in double.
template <class T> struct Statistics {
    using V = typename Types<T>::V;
    using D = typename Types<T>::D;
    std::vector<D> mean, squares;
    double count = 0;
    explicit Statistics(long outputs) : mean(outputs), squares(outputs) {}

    void add(const V* y, long positions, long outputs) {
        double n = positions, share = n / (count + n);
        for (long o = 0; o < outputs; o++) {
            V sum = {}, square = {};
            for (long i = 0; i < positions; i++) sum += y[i * outputs + o];
            V centre = sum / (T)n;
            for (long i = 0; i < positions; i++) {
                V d = y[i * outputs + o] - centre;
                square += d * d;
            }
            D delta = __builtin_convertvector(centre, D) - mean[o];
            mean[o] += delta * share;
            squares[o] += __builtin_convertvector(square, D) + delta * delta * (count * share);
        }
        count += n;
    }
};

// y -> scale * y + shift is what a batch norm does once its statistics are known.
template <class T> struct Affine {
    using V = typename Types<T>::V;
    std::vector<V> scale, shift, inverse;
    Affine(const Block& s, const Norm& norm) : scale(s.outputs), shift(s.outputs), inverse(s.outputs) {
        const V *gamma = (const V*)norm.gamma, *beta = (const V*)norm.beta, *mean = (const V*)norm.mean, *var = (const V*)norm.variance;
        for (long o = 0; o < s.outputs; o++) {
            for (int l = 0; l < Types<T>::LANES; l++) inverse[o][l] = 1 / std::sqrt(var[o][l] + (T)s.eps);
            scale[o] = gamma[o] * inverse[o];
            shift[o] = beta[o] - mean[o] * scale[o];
        }
    }
};

// ------------------------------------------------------------------ forward

template <class V> static inline V rectified(V v) { return v < 0 ? V{} : v; }  // NaN stays NaN

// ReLU and pooling of `pool` rows of z. `mask` remembers where the ReLU let through: a bit for each pooled position.
template <class T, int POOL, class Z>
static inline void activate(const Block& s, Z z, typename Types<T>::V* out, typename Types<T>::I* mask) {
    using V = typename Types<T>::V;
    using I = typename Types<T>::I;
    long row = s.width * s.outputs;
    for (long q = 0; q < s.width / POOL; q++)
        for (long o = 0; o < s.outputs; o++) {
            long i = q * POOL * s.outputs + o, to = q * s.outputs + o;
            V sum = {};
            I bits = {};
            for (int k = 0; k < POOL * POOL; k++) {
                V v = z(i + k / POOL * row + k % POOL * s.outputs, o);
                bits |= ~(v <= 0) & (typename Types<T>::Int)(1 << k);
                sum += s.relu ? rectified(v) : v;
            }
            out[to] = POOL == 1 ? sum : sum * (T)0.25;
            if (mask) mask[to] = bits;
        }
}

template <class T, int POOL, template <class> class Input>
static void forward_of(const Block& s, const void* x, const void* w, const void* b, const Norm& norm, void* kept, void* out) {
    using V = typename Types<T>::V;
    using I = typename Types<T>::I;
    Input<T> input(s, x);
    long row = s.width * s.outputs, size = s.height * row;
    long out_row = s.width / POOL * s.outputs, out_size = s.height / POOL * out_row;
    bool normed = norm.gamma;
    std::vector<V> local(normed ? 0 : POOL * row);
    Statistics<T> statistics(s.outputs);
    for (long n = 0; n < s.samples; n++) {
        const auto* sample = input.sample(s, n);
        for (long h = 0; h < s.height; h += POOL) {
            V* y = normed ? (V*)kept + n * size + h * row : local.data();
            for (long i = h; i < std::min(h + POOL, s.height); i++)
                correlate(sample + i * in_row(s), in_row(s), s.inputs, (const V*)w, s.outputs, s.kernel, s.width, (const V*)b, y + (i - h) * row);
            if (normed || h + POOL > s.height) continue;
            long to = n * out_size + h / POOL * out_row;
            activate<T, POOL>(s, [=](long i, long) { return y[i]; }, (V*)out + to, kept && s.relu ? (I*)kept + to : nullptr);
        }
        if (normed) statistics.add((V*)kept + n * size, s.height * s.width, s.outputs);
    }
    if (!normed) return;
    for (long o = 0; o < s.outputs; o++) {
        ((V*)norm.mean)[o] = __builtin_convertvector(statistics.mean[o], V);
        ((V*)norm.variance)[o] = __builtin_convertvector(statistics.squares[o] / statistics.count, V);
    }
    Affine<T> affine(s, norm);
    for (long n = 0; n < s.samples; n++)
        for (long h = 0; h + POOL <= s.height; h += POOL) {
            const V* y = (const V*)kept + n * size + h * row;
            auto z = [&](long i, long o) { return y[i] * affine.scale[o] + affine.shift[o]; };
            activate<T, POOL>(s, z, (V*)out + n * out_size + h / POOL * out_row, nullptr);
        }
}

template <class T, template <class> class Input, class... Rest> static void forward(const Block& s, Rest... rest) {
    if (s.pool == 2) forward_of<T, 2, Input>(s, rest...);
    else forward_of<T, 1, Input>(s, rest...);
}

// ------------------------------------------------------------------ backward

template <class V, class I> static inline V where(I mask, V v) { return (V)(mask & (I)v); }

// Everything backward needs to know of one block.
template <class T> struct Backward {
    using V = typename Types<T>::V;
    using D = typename Types<T>::D;
    using I = typename Types<T>::I;
    const Block& s;
    explicit Backward(const Block& block) : s(block) {}
    const V* mean = nullptr;
    std::vector<V> scale, shift, inverse, mean_g, mean_gx;  // of the batch norm, by output

    // Goes through some rows of one sample, output by output, and hands `use` the gradient at the ReLU's input. Pooling
    // hands back equal parts, and zero to a last row or column that it dropped.
    template <int POOL, bool RELU, bool NORM, class F>
    inline void rows(const V* g, const void* kept, long first, long last, F use) const {
        long out_width = s.width / POOL, used = out_width * POOL;
        for (long h = first; h < last; h++)
            for (long o = 0; o < s.outputs; o++) {
                const V* from = g + h / POOL * out_width * s.outputs + o;
                const V* y = (const V*)kept + h * s.width * s.outputs + o;
                const I* mask = (const I*)kept + h / POOL * out_width * s.outputs + o;
                typename Types<T>::Int bit = 1 << h % POOL * POOL;
                V a = NORM ? scale[o] : V{}, b = NORM ? shift[o] : V{};
                auto through = [&](long q, V v) {
                    if (RELU && NORM) return where(~(y[q * s.outputs] * a + b <= 0), v);
                    if (RELU) return where((mask[q / POOL * s.outputs] & bit << q % POOL) != 0, v);
                    return v;
                };
                bool dropped = h / POOL >= s.height / POOL;
                use(h, o, y, [&](auto each) {
                    for (long q = 0; q < (dropped ? 0 : used); q += POOL) {
                        V v = from[q / POOL * s.outputs] * (T)(1.0 / (POOL * POOL));
                        for (int i = 0; i < POOL; i++) each(q + i, through(q + i, v));
                    }
                    for (long q = dropped ? 0 : used; q < s.width; q++) each(q, V{});
                });
            }
    }

    // Sums over the batch that a batch norm's gradient needs, before any of it can be known.
    template <int POOL, bool RELU> void normalize(const Norm& norm, const void* kept, const void* g, void* dgamma, void* dbeta) {
        Affine<T> affine(s, norm);
        scale = affine.scale, shift = affine.shift, inverse = affine.inverse, mean = (const V*)norm.mean;
        mean_g.resize(s.outputs), mean_gx.resize(s.outputs);
        std::vector<D> by_gamma(s.outputs), by_beta(s.outputs);
        std::vector<V> sum(s.outputs), sum_x(s.outputs);
        long out_size = (s.height / POOL) * (s.width / POOL) * s.outputs;
        for (long n = 0; n < s.samples; n++) {
            std::fill(sum.begin(), sum.end(), V{});
            std::fill(sum_x.begin(), sum_x.end(), V{});
            const V* of = (const V*)kept + n * s.height * s.width * s.outputs;
            rows<POOL, RELU, true>((const V*)g + n * out_size, of, 0, s.height, [&](long, long o, const V* y, auto go) {
                V total = {}, total_x = {}, m = mean[o];
                go([&](long q, V v) { total += v, total_x += v * (y[q * s.outputs] - m); });
                sum[o] += total, sum_x[o] += total_x;
            });
            for (long o = 0; o < s.outputs; o++) {
                by_beta[o] += __builtin_convertvector(sum[o], D);
                by_gamma[o] += __builtin_convertvector(sum_x[o] * inverse[o], D);
            }
        }
        double count = (double)s.samples * s.height * s.width;
        for (long o = 0; o < s.outputs; o++) {
            mean_g[o] = __builtin_convertvector(by_beta[o] / count, V);
            mean_gx[o] = __builtin_convertvector(by_gamma[o] / count, V) * inverse[o];
            ((V*)dbeta)[o] = __builtin_convertvector(by_beta[o], V);
            ((V*)dgamma)[o] = __builtin_convertvector(by_gamma[o], V);
        }
    }

    template <int POOL, bool RELU, bool NORM, class Input>
    void run(Input& input, const void* flipped, const void* kept, const void* g, void* dx, void* dw, void* db) const {
        long size = s.height * s.width * s.outputs, in_size = s.height * s.width * s.inputs;
        long out_size = (s.height / POOL) * (s.width / POOL) * s.outputs;
        long pad = padding(s), row = (s.width + 2 * pad) * s.outputs, block = rows_together(s, sizeof(V));
        std::vector<V> padded((s.height + 2 * pad) * row), sum(s.outputs);
        std::vector<D> bias(s.outputs);
        V* dy = padded.data() + pad * row + pad * s.outputs;
        std::fill_n((V*)dw, s.kernel * s.kernel * s.inputs * s.outputs, V{});
        for (long n = 0; n < s.samples; n++) {
            const auto* sample = input.sample(s, n);
            const void* of = NORM ? (const void*)((const V*)kept + n * size) : (const void*)((const I*)kept + n * out_size);
            std::fill(sum.begin(), sum.end(), V{});
            for (long first = 0; first < s.height; first += block) {
                long last = std::min(first + block, s.height);
                rows<POOL, RELU, NORM>((const V*)g + n * out_size, of, first, last, [&](long h, long o, const V* y, auto go) {
                    V total = {}, a, m, mg, mgx;
                    if (NORM) a = scale[o], m = mean[o], mg = mean_g[o], mgx = mean_gx[o];
                    V* to = dy + h * row + o;
                    go([&](long q, V v) {
                        if (NORM) v = a * (v - mg - (y[q * s.outputs] - m) * mgx);
                        total += v;
                        to[q * s.outputs] = v;
                    });
                    sum[o] += total;
                });
                weight_gradient(s, sample + first * in_row(s), dy + first * row, row, last - first, (V*)dw);
            }
            for (long o = 0; o < s.outputs; o++) bias[o] += __builtin_convertvector(sum[o], D);
            for (long h = 0; dx && h < s.height; h++)
                correlate(padded.data() + h * row, row, s.outputs, (const V*)flipped, s.inputs, s.kernel, s.width, (const V*)nullptr,
                          (V*)dx + n * in_size + h * s.width * s.inputs);
        }
        for (long o = 0; o < s.outputs; o++) ((V*)db)[o] = __builtin_convertvector(bias[o], V);
    }
};

template <class T, int POOL, bool RELU, template <class> class Input>
static void backward_of(const Block& s, const void* x, const void* flipped, const Norm& norm, const void* kept, const void* g,
                        void* dx, void* dw, void* db, void* dgamma, void* dbeta) {
    Input<T> input(s, x);
    Backward<T> block(s);
    if (norm.gamma) {
        block.template normalize<POOL, RELU>(norm, kept, g, dgamma, dbeta);
        block.template run<POOL, RELU, true>(input, flipped, kept, g, dx, dw, db);
    } else block.template run<POOL, RELU, false>(input, flipped, kept, g, dx, dw, db);
}

template <class T, template <class> class Input, class... Rest> static void backward(const Block& s, Rest... rest) {
    if (s.pool == 2 && s.relu) backward_of<T, 2, true, Input>(s, rest...);
    else if (s.pool == 2) backward_of<T, 2, false, Input>(s, rest...);
    else if (s.relu) backward_of<T, 1, true, Input>(s, rest...);
    else backward_of<T, 1, false, Input>(s, rest...);
}

// ------------------------------------------------------------------ what Python calls

// The part of a tensor that belongs to one pack.
template <class V> static void* of_pack(const void* tensor, long pack, long size) { return tensor ? (V*)tensor + pack * size : nullptr; }

// Calls f for each pack: its block, its input, and a function that finds its part of a tensor with so many values a lane.
template <class T, class F> static void each_pack(const Block& s, const void* x, F f) {
    using V = typename Types<T>::V;
    for (long p = 0; p < s.packs; p++) {
        Block block = s;
        if (s.group) block.group += p * Types<T>::LANES;
        const void* own = s.sharing == 0 ? of_pack<V>(x, p, s.samples * s.height * s.width * s.inputs) : x;
        f(block, own, [=](const void* tensor, long size) { return of_pack<V>(tensor, p, size); });
    }
}

template <class T> static void forward_all(const Block& s, const void* x, const void* w, const void* b, const Norm& norm, void* kept, void* out) {
    long c = s.outputs, weights = s.kernel * s.kernel * s.inputs * c;
    long size = s.samples * s.height * s.width * c, pooled = s.samples * (s.height / s.pool) * (s.width / s.pool) * c;
    each_pack<T>(s, x, [&](const Block& block, const void* x, auto at) {
        Norm own{at(norm.gamma, c), at(norm.beta, c), at(norm.mean, c), at(norm.variance, c)};
        auto run = [&](auto f) { f(block, x, at(w, weights), at(b, c), own, at(kept, norm.gamma ? size : pooled), at(out, pooled)); };
        using A = const void*;
        if (s.sharing == 0) run(forward<T, OwnInput, A, A, A, Norm, void*, void*>);
        else if (s.sharing == 1) run(forward<T, SharedInput, A, A, A, Norm, void*, void*>);
        else run(forward<T, GroupedInput, A, A, A, Norm, void*, void*>);
    });
}

template <class T> static void backward_all(const Block& s, const void* x, const void* flipped, const Norm& norm, const void* kept, const void* g,
                                            void* dx, void* dw, void* db, void* dgamma, void* dbeta) {
    long c = s.outputs, weights = s.kernel * s.kernel * s.inputs * c, in_size = s.samples * s.height * s.width * s.inputs;
    long size = s.samples * s.height * s.width * c, pooled = s.samples * (s.height / s.pool) * (s.width / s.pool) * c;
    each_pack<T>(s, x, [&](const Block& block, const void* x, auto at) {
        Norm own{at(norm.gamma, c), at(norm.beta, c), at(norm.mean, c), at(norm.variance, c)};
        auto run = [&](auto f) {
            f(block, x, at(flipped, weights), own, at(kept, norm.gamma ? size : pooled), at(g, pooled), at(dx, in_size), at(dw, weights),
              at(db, c), at(dgamma, c), at(dbeta, c));
        };
        using A = const void*;
        if (s.sharing == 0) run(backward<T, OwnInput, A, A, Norm, A, A, void*, void*, void*, void*, void*>);
        else if (s.sharing == 1) run(backward<T, SharedInput, A, A, Norm, A, A, void*, void*, void*, void*, void*>);
        else run(backward<T, GroupedInput, A, A, Norm, A, A, void*, void*, void*, void*, void*>);
    });
}

#define EXPORT(T, NAME)                                                                                                        \
    extern "C" int lanes_##NAME() { return Types<T>::LANES; }                                                                  \
    extern "C" void forward_##NAME(const Block* s, const void* x, const void* w, const void* b, const Norm* norm, void* kept,  \
                                   void* out) {                                                                                \
        forward_all<T>(*s, x, w, b, *norm, kept, out);                                                                         \
    }                                                                                                                          \
    extern "C" void backward_##NAME(const Block* s, const void* x, const void* flipped, const Norm* norm, const void* kept,    \
                                    const void* g, void* dx, void* dw, void* db, void* dgamma, void* dbeta) {                  \
        backward_all<T>(*s, x, flipped, *norm, kept, g, dx, dw, db, dgamma, dbeta);                                            \
    }

EXPORT(float, float32)
EXPORT(double, float64)
