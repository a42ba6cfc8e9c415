// Registers, and what Python and the kernel tell each other.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <vector>

// REGISTER_BYTES is what a trial on this machine chose (trial.cpp). TILE: 32 registers hold 4 x 4 sums, 4 weights and
// an input. WIDE: registers of a row whose sums for two samples are kept; WIDE_BACK: whose gradients' sums are, of
// which a few would wait for themselves. AHEAD: how many rows before they are needed they are fetched. No number
// depends on any of them.
#if defined(__AVX512VL__) || defined(__aarch64__)
constexpr int TILE = 4, WIDE = 8;
#else
constexpr int TILE = 3, WIDE = 4;
#endif
#ifdef REGISTER_BYTES
constexpr int BYTES = REGISTER_BYTES;
#elif defined(__AVX__)
constexpr int BYTES = 32;
#else
constexpr int BYTES = 16;
#endif
constexpr int WIDE_BACK = 8, AHEAD = 8;
constexpr long CACHE = 24 * 1024, LINE = 32;  // bytes of the first-level cache to plan with, and of what a block holds

template <class T> struct Types {
    static constexpr int LANES = BYTES / sizeof(T);
    typedef T V __attribute__((vector_size(BYTES)));                        // one value of each replica
    typedef double D __attribute__((vector_size(LANES * sizeof(double))));  // the same, for long sums
    using Int = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;
    typedef Int I __attribute__((vector_size(BYTES)));  // what comparing two V gives
};

extern "C" {
struct Block {
    int64_t samples, height, width, inputs, outputs;  // height and width of what goes in
    int64_t kernel, stride, padding;                  // the same up and down as sideways
    int64_t activation, pool;                         // activations.h; 2 if pooled, else 1
    int64_t sharing;       // who sees an input: 0 each lane its own, 1 all the same, 2 as `group` says
    const int32_t* group;  // (replica): which of the stacked inputs it sees
    double eps;
    int64_t packs;
    int64_t groups;   // of channels that a norm takes together in each sample; 0: a batch norm
    int64_t centred;  // whether such a norm subtracts their mean
    int64_t given;    // whether there is no convolution: `kept` holds what a norm takes, `dx` gets the gradient of that
};
// A linear layer on one batch.
struct Linear {
    int64_t samples, inputs, outputs, packs;
    int64_t row;           // registers from one input's weights to the next's
    int64_t sharing;       // as above
    int64_t groups;        // how many inputs are stacked
    const int32_t* group;  // (replica)
    const int32_t* order;  // (input): which row its weights are; null: its own
    int64_t relu;
    double background;  // what most of a sparse input is
};
// One pass of gradient descent with momentum over a layer's weights.
struct Descent {
    void* momentum;    // as the weights: what was kept of earlier gradients
    const void* rate;  // (replica)
    void* row_sums;    // (output, replica), of the new weights; null: not needed
    double* squares;   // (replica), to which those of the gradient are added; null: not needed
    double keep, decay;
};
struct Norm {
    const void *gamma, *beta;  // (output, replica); gamma null: no norm
    void *mean, *variance;     // (output, replica), biased; of a batch norm alone
};
}

// ------------------------------------------------------------------ small tools

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

// Calls f with a number from 1 to 4 that the compiler knows.
template <class F> static inline void with_number(long n, F f) {
    if (n == 4) f(std::integral_constant<int, 4>());
    else if (n == 3) f(std::integral_constant<int, 3>());
    else if (n == 2) f(std::integral_constant<int, 2>());
    else f(std::integral_constant<int, 1>());
}

template <class V> static inline V rectified(V v) { return v < 0 ? V{} : v; }  // NaN stays NaN
template <class V, class I> static inline V where(I mask, V v) { return (V)(mask & (I)v); }

// One row of padded inputs; and how many rows and columns a convolution gives.
static inline long in_row(const Block& s) { return (s.width + 2 * s.padding) * s.inputs; }
static inline long places(const Block& s, long size) { return (size + 2 * s.padding - s.kernel) / s.stride + 1; }
static inline long rows(const Block& s) { return places(s, s.height); }
static inline long columns(const Block& s) { return places(s, s.width); }
