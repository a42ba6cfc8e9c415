// Activations that are smooth: their values and slopes, one register at a time.
#pragma once

#include "types.h"

enum Activation { NONE, RELU, SIGMOID, TANH };  // as Python counts them

// e^x = power (1 + rest), with a rest that is exact where x is near 0. Sums Taylor's series of what remains of x once a
// multiple of log 2 is taken away.
template <class T> struct Exponential {
    using V = typename Types<T>::V;
    using I = typename Types<T>::I;
    static constexpr bool SINGLE = sizeof(T) == 4;
    static constexpr int TERMS = SINGLE ? 8 : 14, MANTISSA = SINGLE ? 23 : 52, BIAS = SINGLE ? 127 : 1023;
    static constexpr T LARGEST = SINGLE ? 87 : 708;
    static constexpr T LOG_2 = SINGLE ? 0x1.63p-1 : 0x1.62e42feep-1;  // with few bits, and what it lacks
    static constexpr T LACKS = SINGLE ? -0x1.bd0105c6p-13 : 0x1.a39ef35793c76p-33;
    V power, rest;

    explicit Exponential(V x) {
        x = x > LARGEST ? V{} + LARGEST : x;  // NaN stays NaN
        x = x < -LARGEST ? V{} - LARGEST : x;
        const V shifter = V{} + (T)1.5 * (T)(1L << MANTISSA);  // adding it rounds to a whole number, in the last bits
        V shifted = x * (T)1.4426950408889634 + shifter;
        V k = shifted - shifter, r = x - k * LOG_2 - k * LACKS;
        power = (V)(((I)shifted << MANTISSA) + (((I){} + BIAS) << MANTISSA));
        rest = V{};
        UNROLL
        for (int n = TERMS; n > 0; n--) rest = (rest + 1) * (r * (T)(1.0 / n));
    }
};

template <class T> struct Sigmoid {
    using V = typename Types<T>::V;
    static V value(V v) {
        Exponential<T> e(-v);
        return 1 / (1 + (e.power + e.power * e.rest));
    }
    static V slope(V v) {
        V y = value(v);
        return y * (1 - y);
    }
};

template <class T> struct Tanh {
    using V = typename Types<T>::V;
    static V value(V v) {
        v = v > 22 ? V{} + 22 : v;  // beyond it all is 1
        v = v < -22 ? V{} - 22 : v;
        Exponential<T> e(2 * v);
        V less_one = e.power * e.rest + (e.power - 1);
        return less_one / (less_one + 2);
    }
    static V slope(V v) {
        V y = value(v);
        return 1 - y * y;
    }
};

// Calls f with the smooth activation of a kind.
template <class T, class F> static inline void with_smooth(long kind, F f) {
    if (kind == SIGMOID) f(Sigmoid<T>());
    else f(Tanh<T>());
}
