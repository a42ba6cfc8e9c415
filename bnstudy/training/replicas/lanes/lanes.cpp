// Replicas as SIMD lanes. Small networks starve a convolution library: four channels do not fill a vector register.
// Replicas do, whatever the channel count, so here the replica is the innermost axis of every tensor and each
// multiply-add works on one value of each of them. No lane ever meets another: a NaN stays where it is.
//
// One block = same-padded convolution -> [norm] -> [ReLU] -> [2x2 average pooling], forward and backward, one thread.
// A norm is a batch norm, or works sample by sample: group norms and root mean squares. A linear layer is a 1x1 convolution over one image whose width is the batch. Layouts, last axis fastest:
//   signals (pack, sample, row, column, channel, lane)
//   weights (kernel row, kernel column, input, output, replica)   biases, statistics (output, replica)
// A pack is a register's worth of replicas; packs are done one after the other. The network's own input has no lanes: it
// is shared by all of them, or by groups of them.
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
    const int32_t* group;   // (replica): which of the stacked inputs it sees
    double eps;
    int64_t packs;
    int64_t groups;  // of channels that a norm takes together in each sample; 0: a batch norm
    int64_t centred;  // whether such a norm subtracts their mean
};
struct Norm {
    const void *gamma, *beta;  // (output, replica); gamma null: no norm
    void *mean, *variance;     // (output, replica), biased; of a batch norm alone
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
static inline void tile(const X* x, long row, long hop, const V* w, long outputs, long kernel, long span, const V* bias,
                        V* y) {
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
static inline void tiles(const X* x, long row, long hop, const V* w, long outputs, long kernel, long width, const V* bias,
                         V* y) {
    long q = 0, span = kernel * hop;
    auto next = [&](auto P) {
        tile<X, V, P.value, O>(x + q * hop, row, hop, w, outputs, kernel, span, bias, y + q * outputs);
        q += P.value;
    };
    while (q + 4 <= width) next(std::integral_constant<int, 4>());
    if (q + 2 <= width) next(std::integral_constant<int, 2>());
    if (q < width) next(std::integral_constant<int, 1>());
}

// Calls f with a number from 1 to 4 that the compiler knows.
template <class F> static inline void with_number(long n, F f) {
    if (n == 4) f(std::integral_constant<int, 4>());
    else if (n == 3) f(std::integral_constant<int, 3>());
    else if (n == 2) f(std::integral_constant<int, 2>());
    else f(std::integral_constant<int, 1>());
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
static inline void outer(const X* x, long row, long hop, const V* g, long g_row, long outputs, long rows, long width, V* dw,
                         long dw_row) {
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
// block by block, and a run must not depend on its neighbours.
static long rows_together(const Block& s, long lane_bytes) {
    return std::max<long>(1, CACHE / (s.width * (s.outputs + s.inputs) * lane_bytes));
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
    using I = typename Types<T>::I;
    using X = V;
    const T* x;
    Padded<V> padded;
    std::vector<long> groups;  // those that occur, and who belongs to each
    std::vector<I> members;
    GroupedInput(const Block& s, const void* x) : x((const T*)x), padded(s) {
        for (int l = 0; l < Types<T>::LANES; l++) {
            size_t i = std::find(groups.begin(), groups.end(), (long)s.group[l]) - groups.begin();
            if (i == groups.size()) groups.push_back(s.group[l]), members.push_back(I{});
            members[i][l] = -1;
        }
    }
    const V* sample(const Block& s, long n) {
        long size = s.height * s.width * s.inputs;
        const T* from[Types<T>::LANES];
        for (size_t i = 0; i < groups.size(); i++) from[i] = x + (groups[i] * s.samples + n) * size;
        return padded.fill(s, [&](long i) {
            I v = {};
            for (size_t k = 0; k < groups.size(); k++) v |= members[k] & (I)(V{} + from[k][i]);
            return (V)v;
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

    // Four sums side by side: one addition need not wait for the last.
    template <class F> static V total(long positions, F value) {
        V sum[4] = {};
        long i = 0;
        for (; i + 4 <= positions; i += 4)
            UNROLL for (int k = 0; k < 4; k++) sum[k] += value(i + k);
        for (; i < positions; i++) sum[0] += value(i);
        return (sum[0] + sum[1]) + (sum[2] + sum[3]);
    }

    void add(const V* y, long positions, long outputs) {
        double n = positions, share = n / (count + n);
        for (long o = 0; o < outputs; o++) {
            V centre = total(positions, [=](long i) { return y[i * outputs + o]; }) / (T)n;
            V square = total(positions, [=](long i) {
                V d = y[i * outputs + o] - centre;
                return d * d;
            });
            D delta = __builtin_convertvector(centre, D) - mean[o];
            mean[o] += delta * share;
            squares[o] += __builtin_convertvector(square, D) + delta * delta * (count * share);
        }
        count += n;
    }
};

// ------------------------------------------------------------------ one block at work

template <class V> static inline V rectified(V v) { return v < 0 ? V{} : v; }  // NaN stays NaN
template <class V, class I> static inline V where(I mask, V v) { return (V)(mask & (I)v); }

enum Kind { PLAIN, BATCH, SAMPLE };  // no norm, one over the batch, one for each sample

// What forward keeps for backward: with a norm what the convolution gave, or nothing where that is sooner computed
// again than read from memory; without, bits that say where the ReLU let through.
template <class T, int POOL, bool RELU, template <class> class Input> struct Layer {
    using V = typename Types<T>::V;
    using D = typename Types<T>::D;
    using I = typename Types<T>::I;
    using Int = typename Types<T>::Int;
    static constexpr int AREA = POOL * POOL, PER_WORD = 32 / AREA;  // outputs whose bits share a word

    const Block& s;
    const Norm& norm;
    const V *w, *b;
    void* kept;
    Input<T> input;
    long outputs = s.outputs, out_width = s.width / POOL, out_height = s.height / POOL;
    long row = s.width * outputs, size = s.height * row, out_row = out_width * outputs, out_size = out_height * out_row;
    long words = (outputs + PER_WORD - 1) / PER_WORD;
    long block = std::max<long>(POOL, rows_together(s, sizeof(V)) / POOL * POOL);  // rows worked on at a time
    std::vector<V> local = std::vector<V>(block * row);
    std::vector<V> mean_g = std::vector<V>(outputs), mean_gx = mean_g;
    std::vector<V> scale, shift, inverse;  // of the norm
    std::vector<V> centre, whole;          // of the sample at hand, where the norm is one for each
    const V* at_hand = nullptr;
    const V* mean = (const V*)norm.mean;

    Layer(const Block& s, const Norm& norm, const void* x, const void* w, const void* b, void* kept)
        : s(s), norm(norm), w((const V*)w), b((const V*)b), kept(kept), input(s, x) {}

    template <class X> void convolve(const X* sample, long first, long last, V* y) const {
        for (long h = first; h < last; h++)
            correlate(sample + h * in_row(s), in_row(s), s.inputs, w, outputs, s.kernel, s.width, b, y + (h - first) * row);
    }

    // Some rows of what the convolution gave.
    template <class X> const V* convolved(long n, const X* sample, long first, long last) {
        if (at_hand) return at_hand + first * row;
        if (kept) return (const V*)kept + n * size + first * row;
        convolve(sample, first, last, local.data());
        return local.data();
    }

    // y -> scale * y + shift is what a norm does once its statistics are known.
    void use_statistics() {
        for (long o = 0; o < outputs; o++) use_statistics(o, ((const V*)norm.variance)[o]);
    }
    void use_statistics(long o, V variance) {
        scale.resize(outputs), shift.resize(outputs), inverse.resize(outputs);
        variance += (T)s.eps;
        for (int l = 0; l < Types<T>::LANES; l++) inverse[o][l] = 1 / std::sqrt(variance[l]);
        scale[o] = ((const V*)norm.gamma)[o] * inverse[o];
        shift[o] = ((const V*)norm.beta)[o] - mean[o] * scale[o];
    }

    // Makes y, what the convolution gave for one sample, the one at hand, and its statistics those in use.
    void use_sample(const V* y) {
        long positions = s.height * s.width, members = outputs / s.groups;
        Statistics<T> statistics(outputs);
        statistics.add(y, positions, outputs);
        centre.resize(outputs);
        at_hand = y, mean = centre.data();
        for (long first = 0; first < outputs; first += members) {
            D middle = {}, variance = {};
            for (long o = first; s.centred && o < first + members; o++) middle += statistics.mean[o] / (double)members;
            for (long o = first; o < first + members; o++) {
                D off = statistics.mean[o] - middle;
                variance += (statistics.squares[o] / (double)positions + off * off) / (double)members;
            }
            for (long o = first; o < first + members; o++) {
                centre[o] = __builtin_convertvector(middle, V);
                use_statistics(o, __builtin_convertvector(variance, V));
            }
        }
    }
    template <class X> void use_sample(long n, const X* sample) {
        if (kept) return use_sample((const V*)kept + n * size);
        whole.resize(size);
        convolve(sample, 0, s.height, whole.data());
        use_sample(whole.data());
    }

    // ---- forward

    // ReLU and pooling of POOL rows of what the convolution gave.
    template <bool NORM> void activate(const V* y, V* out, I* mask) const {
        for (long q = 0; q < out_width; q++)
            for (long word = 0; word < words; word++) {
                I bits = {};
                for (long o = word * PER_WORD; o < std::min((word + 1) * PER_WORD, outputs); o++) {
                    const V* from = y + q * POOL * outputs + o;
                    V sum = {};
                    for (int k = 0; k < AREA; k++) {
                        V v = from[k / POOL * row + k % POOL * outputs];
                        if (NORM) v = v * scale[o] + shift[o];
                        if (RELU) bits |= ~(v <= 0) & (Int)(1u << (o % PER_WORD * AREA + k));
                        sum += RELU ? rectified(v) : v;
                    }
                    out[q * outputs + o] = AREA == 1 ? sum : sum * (T)(1.0 / AREA);
                }
                if (mask) mask[q * words + word] = bits;
            }
    }

    void forward(V* out) {
        if (norm.gamma) return s.groups ? forward_each(out) : forward_normed(out);
        for (long n = 0; n < s.samples; n++) {
            const auto* sample = input.sample(s, n);
            for (long h = 0; h + POOL <= s.height; h += POOL) {
                convolve(sample, h, h + POOL, local.data());
                I* mask = RELU && kept ? (I*)kept + ((n * out_height + h / POOL) * out_width) * words : nullptr;
                activate<false>(local.data(), out + n * out_size + h / POOL * out_row, mask);
            }
        }
    }

    void forward_normed(V* out) {
        Statistics<T> statistics(outputs);
        std::vector<V> whole(kept ? 0 : size);
        for (long n = 0; n < s.samples; n++) {
            V* y = kept ? (V*)kept + n * size : whole.data();
            convolve(input.sample(s, n), 0, s.height, y);
            statistics.add(y, s.height * s.width, outputs);
        }
        for (long o = 0; o < outputs; o++) {
            ((V*)norm.mean)[o] = __builtin_convertvector(statistics.mean[o], V);
            ((V*)norm.variance)[o] = __builtin_convertvector(statistics.squares[o] / statistics.count, V);
        }
        use_statistics();
        for (long n = 0; n < s.samples; n++) {
            const auto* sample = kept ? nullptr : input.sample(s, n);
            for (long h = 0; h + POOL <= s.height; h += POOL)
                activate<true>(convolved(n, sample, h, h + POOL), out + n * out_size + h / POOL * out_row, nullptr);
        }
    }

    void forward_each(V* out) {
        for (long n = 0; n < s.samples; n++) {
            const auto* sample = input.sample(s, n);
            if (kept) convolve(sample, 0, s.height, (V*)kept + n * size);
            use_sample(n, sample);
            for (long h = 0; h + POOL <= s.height; h += POOL)
                activate<true>(convolved(n, sample, h, h + POOL), out + n * out_size + h / POOL * out_row, nullptr);
        }
    }

    // ---- backward

    // Goes through some rows of one sample, output by output, and hands `use` the gradient at the ReLU's input; y is
    // what the convolution gave there. Pooling hands back equal parts, and zero to a last row or column that it dropped.
    // Each value comes with a number below POOL, so that sums can be kept side by side.
    template <bool NORM, class F>
    inline void rows(long n, const V* g, const V* y, long first, long last, F use) const {
        for (long h = first; h < last; h++)
            for (long o = 0; o < outputs; o++) {
                const V* from = g + n * out_size + h / POOL * out_row + o;
                const V* at = y + (h - first) * row + o;
                const I* mask = (const I*)kept + (n * out_height + h / POOL) * out_width * words + o / PER_WORD;
                Int bit = (Int)(1u << (o % PER_WORD * AREA + h % POOL * POOL));
                V a = NORM ? scale[o] : V{}, c = NORM ? shift[o] : V{};
                bool dropped = h / POOL >= out_height;
                use(h, o, at, [&](auto each) {
                    for (long q = 0; q < (dropped ? 0 : out_width); q++) {
                        V v = from[q * outputs] * (T)(1.0 / AREA);
                        UNROLL for (int i = 0; i < POOL; i++) {
                            if (RELU && NORM) each(q * POOL + i, i, where(~(at[(q * POOL + i) * outputs] * a + c <= 0), v));
                            else if (RELU) each(q * POOL + i, i, where((mask[q * words] & bit << i) != 0, v));
                            else each(q * POOL + i, i, v);
                        }
                    }
                    for (long q = dropped ? 0 : out_width * POOL; q < s.width; q++) each(q, 0, V{});
                });
            }
    }

    // Sums over one sample of the gradient behind the norm, and of it times the deviation from the mean.
    template <class X> void sum_sample(long n, const X* sample, const V* g, std::vector<V>& sum, std::vector<V>& sum_x) {
        std::fill(sum.begin(), sum.end(), V{});
        std::fill(sum_x.begin(), sum_x.end(), V{});
        for (long first = 0; first < s.height; first += block) {
            long last = std::min(first + block, s.height);
            rows<true>(n, g, convolved(n, sample, first, last), first, last, [&](long, long o, const V* y, auto go) {
                V total[2] = {}, total_x[2] = {}, m = mean[o];
                go([&](long q, int i, V v) { total[i] += v, total_x[i] += v * (y[q * outputs] - m); });
                sum[o] += total[0] + total[1], sum_x[o] += total_x[0] + total_x[1];
            });
        }
    }

    // Sums over the batch that a batch norm's gradient needs, before any of it can be known.
    void sum_for_norm(const V* g, V* dgamma, V* dbeta) {
        std::vector<D> by_gamma(outputs), by_beta(outputs);
        std::vector<V> sum(outputs), sum_x(outputs);
        for (long n = 0; n < s.samples; n++) {
            sum_sample(n, kept ? nullptr : input.sample(s, n), g, sum, sum_x);
            for (long o = 0; o < outputs; o++) {
                by_beta[o] += __builtin_convertvector(sum[o], D);
                by_gamma[o] += __builtin_convertvector(sum_x[o] * inverse[o], D);
            }
        }
        double count = (double)s.samples * s.height * s.width;
        for (long o = 0; o < outputs; o++) {
            mean_g[o] = __builtin_convertvector(by_beta[o] / count, V);
            mean_gx[o] = __builtin_convertvector(by_gamma[o] / count, V) * inverse[o];
            dbeta[o] = __builtin_convertvector(by_beta[o], V);
            dgamma[o] = __builtin_convertvector(by_gamma[o], V);
        }
    }

    // The same of one sample, for a norm of each: mean_g and mean_gx are what its backward subtracts.
    template <class X>
    void sum_for_sample(long n, const X* sample, const V* g, std::vector<V>& sum, std::vector<V>& sum_x,
                        std::vector<D>& by_gamma, std::vector<D>& by_beta) {
        sum_sample(n, sample, g, sum, sum_x);
        long members = outputs / s.groups;
        double count = (double)members * s.height * s.width;
        for (long first = 0; first < outputs; first += members) {
            D total = {}, total_x = {};
            for (long o = first; o < first + members; o++) {
                by_beta[o] += __builtin_convertvector(sum[o], D);
                by_gamma[o] += __builtin_convertvector(sum_x[o] * inverse[o], D);
                total += __builtin_convertvector(sum[o] * scale[o], D);
                total_x += __builtin_convertvector(sum_x[o] * scale[o], D);
            }
            for (long o = first; o < first + members; o++) {
                mean_g[o] = s.centred ? __builtin_convertvector(total / count, V) : V{};
                mean_gx[o] = __builtin_convertvector(total_x / count, V) * inverse[o] * inverse[o];
            }
        }
    }

    template <Kind KIND> void backward(const V* flipped, const V* g, V* dx, V* dw, V* db, V* dgamma, V* dbeta) {
        constexpr bool NORM = KIND != PLAIN;
        long pad = padding(s), g_row = (s.width + 2 * pad) * outputs;
        std::vector<V> padded((s.height + 2 * pad) * g_row), sum(outputs);
        std::vector<D> bias(outputs), by_gamma(outputs), by_beta(outputs);
        std::vector<V> sum_x(outputs);
        V* dy = padded.data() + pad * g_row + pad * outputs;
        std::fill_n(dw, s.kernel * s.kernel * s.inputs * outputs, V{});
        for (long n = 0; n < s.samples; n++) {
            const auto* sample = input.sample(s, n);
            if (KIND == SAMPLE) use_sample(n, sample), sum_for_sample(n, sample, g, sum, sum_x, by_gamma, by_beta);
            std::fill(sum.begin(), sum.end(), V{});
            for (long first = 0; first < s.height; first += block) {
                long last = std::min(first + block, s.height);
                const V* y = NORM ? convolved(n, sample, first, last) : nullptr;
                rows<NORM>(n, g, y, first, last, [&](long h, long o, const V* y, auto go) {
                    V total[2] = {}, a, m, mg, mgx;
                    if (NORM) a = scale[o], m = mean[o], mg = mean_g[o], mgx = mean_gx[o];
                    V* to = dy + h * g_row + o;
                    go([&](long q, int i, V v) {
                        if (KIND == BATCH) v = a * (v - mg - (y[q * outputs] - m) * mgx);
                        if (KIND == SAMPLE) v = a * v - mg - (y[q * outputs] - m) * mgx;
                        total[i] += v;
                        to[q * outputs] = v;
                    });
                    sum[o] += total[0] + total[1];
                });
                weight_gradient(s, sample + first * in_row(s), dy + first * g_row, g_row, last - first, dw);
            }
            for (long o = 0; o < outputs; o++) bias[o] += __builtin_convertvector(sum[o], D);
            for (long h = 0; dx && h < s.height; h++)
                correlate(padded.data() + h * g_row, g_row, outputs, flipped, s.inputs, s.kernel, s.width, (const V*)nullptr,
                          dx + (n * s.height + h) * s.width * s.inputs);
        }
        for (long o = 0; o < outputs; o++) db[o] = __builtin_convertvector(bias[o], V);
        for (long o = 0; KIND == SAMPLE && o < outputs; o++) {
            dgamma[o] = __builtin_convertvector(by_gamma[o], V);
            dbeta[o] = __builtin_convertvector(by_beta[o], V);
        }
    }

    void backward(const V* flipped, const V* g, V* dx, V* dw, V* db, V* dgamma, V* dbeta) {
        if (!norm.gamma) return backward<PLAIN>(flipped, g, dx, dw, db, dgamma, dbeta);
        if (s.groups) return backward<SAMPLE>(flipped, g, dx, dw, db, dgamma, dbeta);
        use_statistics();
        sum_for_norm(g, dgamma, dbeta);
        backward<BATCH>(flipped, g, dx, dw, db, dgamma, dbeta);
    }
};

// ------------------------------------------------------------------ what Python calls

template <class T, int POOL, bool RELU, class F> static void by_sharing(const Block& s, F f) {
    if (s.sharing == 0) f((Layer<T, POOL, RELU, OwnInput>*)nullptr);
    else if (s.sharing == 1) f((Layer<T, POOL, RELU, SharedInput>*)nullptr);
    else f((Layer<T, POOL, RELU, GroupedInput>*)nullptr);
}

// Calls f with a null pointer to the kind of layer that a block asks for.
template <class T, class F> static void by_kind(const Block& s, F f) {
    if (s.pool == 2 && s.relu) by_sharing<T, 2, true>(s, f);
    else if (s.pool == 2) by_sharing<T, 2, false>(s, f);
    else if (s.relu) by_sharing<T, 1, true>(s, f);
    else by_sharing<T, 1, false>(s, f);
}

// Copies of one pack's share of the weights or statistics, and back.
template <class V> static std::vector<V> taken(const void* from, long pack, long packs, long size) {
    std::vector<V> values(from ? size : 0);
    for (long i = 0; i < (long)values.size(); i++) values[i] = ((const V*)from)[i * packs + pack];
    return values;
}
template <class V> static void put(const std::vector<V>& values, void* to, long pack, long packs) {
    for (long i = 0; i < (long)values.size(); i++) ((V*)to)[i * packs + pack] = values[i];
}

// Calls f(layer, pack, its parts of the signals) for each pack.
template <class T, class F>
static void each_pack(const Block& s, const Norm& norm, const void* x, const void* w, const void* b, void* kept, F f) {
    using V = typename Types<T>::V;
    long weights = s.kernel * s.kernel * s.inputs * s.outputs, size = s.samples * s.height * s.width;
    for (long p = 0; p < s.packs; p++) {
        auto own_w = taken<V>(w, p, s.packs, weights), own_b = taken<V>(b, p, s.packs, s.outputs);
        auto gamma = taken<V>(norm.gamma, p, s.packs, s.outputs), beta = taken<V>(norm.beta, p, s.packs, s.outputs);
        auto mean = taken<V>(norm.mean, p, s.packs, s.outputs), variance = taken<V>(norm.variance, p, s.packs, s.outputs);
        Norm own{norm.gamma ? gamma.data() : nullptr, beta.data(), mean.data(), variance.data()};
        Block block = s;
        const void* own_x = s.sharing == 0 ? (const V*)x + p * size * s.inputs : x;
        if (s.sharing == 2) {
            block.group += p * Types<T>::LANES;
            if (std::equal(block.group + 1, block.group + Types<T>::LANES, block.group)) {  // they share one after all
                block.sharing = 1;
                own_x = (const T*)x + block.group[0] * size * s.inputs;
            }
        }
        by_kind<T>(block, [&](auto* kind) {
            std::remove_pointer_t<decltype(kind)> layer(block, own, own_x, own_w.data(), own_b.data(), kept);
            long each = norm.gamma ? layer.size : layer.out_height * layer.out_width * layer.words;
            if (kept) layer.kept = (V*)kept + p * s.samples * each;
            f(layer, p);
        });
        if (norm.gamma) put(mean, norm.mean, p, s.packs), put(variance, norm.variance, p, s.packs);
    }
}

template <class T>
static void forward_packs(const Block& s, const Norm& norm, const void* x, const void* w, const void* b, void* kept,
                          void* out) {
    using V = typename Types<T>::V;
    each_pack<T>(s, norm, x, w, b, kept,
                 [&](auto& layer, long p) { layer.forward((V*)out + p * s.samples * layer.out_size); });
}

template <class T>
static void backward_packs(const Block& s, const Norm& norm, const void* x, const void* w, const void* b, void* kept,
                           const void* flipped, const void* g, void* dx, void* dw, void* db, void* dgamma, void* dbeta) {
    using V = typename Types<T>::V;
    long weights = s.kernel * s.kernel * s.inputs * s.outputs, size = s.samples * s.height * s.width;
    each_pack<T>(s, norm, x, w, b, kept, [&](auto& layer, long p) {
        auto own_flipped = taken<V>(flipped, p, s.packs, weights);
        std::vector<V> own_w(weights), own_b(s.outputs), own_gamma(dgamma ? s.outputs : 0), own_beta(own_gamma);
        V* own_dx = dx ? (V*)dx + p * size * s.inputs : nullptr;
        layer.backward(own_flipped.data(), (const V*)g + p * s.samples * layer.out_size, own_dx, own_w.data(), own_b.data(),
                       own_gamma.data(), own_beta.data());
        put(own_w, dw, p, s.packs), put(own_b, db, p, s.packs);
        put(own_gamma, dgamma, p, s.packs), put(own_beta, dbeta, p, s.packs);
    });
}

#define EXPORT(T, NAME)                                                                                                       \
    extern "C" int lanes_##NAME() { return Types<T>::LANES; }                                                                 \
    extern "C" void forward_##NAME(const Block* s, const Norm* norm, const void* x, const void* w, const void* b, void* kept, \
                                   void* out) {                                                                               \
        forward_packs<T>(*s, *norm, x, w, b, kept, out);                                                                      \
    }                                                                                                                         \
    extern "C" void backward_##NAME(const Block* s, const Norm* norm, const void* x, const void* w, const void* b,            \
                                    void* kept, const void* flipped, const void* g, void* dx, void* dw, void* db,             \
                                    void* dgamma, void* dbeta) {                                                              \
        backward_packs<T>(*s, *norm, x, w, b, kept, flipped, g, dx, dw, db, dgamma, dbeta);                                   \
    }

EXPORT(float, float32)
EXPORT(double, float64)
