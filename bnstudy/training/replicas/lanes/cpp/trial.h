// How fast this machine multiplies and adds with registers of a width: a convolution of a small network and the
// gradient of its weights, as a step does them.
#pragma once

#include <chrono>

#include "products.h"

// Billions of multiplications and additions a second; the best of some tries, since other processes disturb.
template <class T> static double gflops() {
    using V = typename Types<T>::V;
    Block s{};
    s.height = s.width = 14, s.inputs = 4, s.outputs = 8, s.kernel = 3, s.stride = s.padding = 1;
    long pad = s.padding, row = in_row(s), g_row = (s.width + 2 * pad) * s.outputs, rounds = 20;
    long span = s.kernel * s.inputs * s.outputs;
    std::vector<V> x((s.height + 2 * pad) * row, V{} + (T)0.5), w(s.kernel * span, V{} + (T)0.25), dw(s.kernel * span);
    std::vector<V> y((s.height + 2 * pad) * g_row), bias(s.outputs);
    double best = 0, operations = 2.0 * 2 * rounds * s.height * s.width * s.kernel * span * Types<T>::LANES;
    for (int attempt = 0; attempt < 40; attempt++) {
        auto start = std::chrono::steady_clock::now();
        for (long n = 0; n < rounds; n++) {
            for (long h = 0; h < s.height; h++)
                correlate(x.data() + h * row, row, s.inputs, w.data(), s.outputs, s.kernel, s.kernel * s.inputs,
                          s.width, bias.data(), y.data() + h * g_row, s.outputs);
            weight_gradient(s, x.data(), y.data(), g_row, s.height, dw.data());
        }
        std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
        best = std::max(best, operations / took.count() / 1e9);
    }
    return best;
}
