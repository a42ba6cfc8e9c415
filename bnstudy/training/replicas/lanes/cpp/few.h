// Convolutions over few places, as they are deep in a network: tap by tap, some samples side by side. So weights are
// read once for all of those, and no product is with a zero of the border, as most are where there are few places.
#pragma once

#include "products.h"

constexpr long FEW = 16;            // places of inputs; beyond, whole rows are as fast
constexpr long SHARE = 256 * 1024;  // bytes of the second-level cache for the samples side by side

template <class V> struct FewPlaces {
    struct Pair {
        long in, out;  // places: what a tap reads there goes into the sum here
    };
    const Block& s;
    long in_size = s.height * s.width * s.inputs, out_size = rows(s) * columns(s) * s.outputs;
    long together = std::clamp<long>(SHARE / ((in_size + out_size) * LINE) / 4 * 4, 4, 32);
    std::vector<std::vector<Pair>> taps;

    explicit FewPlaces(const Block& s) : s(s) {
        for (long k = 0; k < s.kernel; k++)
            for (long l = 0; l < s.kernel; l++) {
                auto& pairs = taps.emplace_back();
                for (long h = 0; h < rows(s); h++)
                    for (long q = 0; q < columns(s); q++) {
                        long y = h * s.stride - s.padding + k, x = q * s.stride - s.padding + l;
                        if (0 <= y && y < s.height && 0 <= x && x < s.width)
                            pairs.push_back({y * s.width + x, h * columns(s) + q});
                    }
            }
    }
    static bool suits(const Block& s) { return s.sharing == 0 && !s.given && s.height * s.width <= FEW; }

    // Calls f with the first of some samples, and how many there are.
    template <class F> void each_group(F f) const {
        for (long n = 0; n < s.samples; n += together) f(n, std::min(together, s.samples - n));
    }

    void forward(const V* x, const V* w, const V* bias, V* y) const {
        for (long i = 0; i < s.samples * out_size; i += s.outputs) std::copy_n(bias, s.outputs, y + i);
        each_group([&](long n, long samples) {
            add_products(samples, x + n * in_size, in_size, s.inputs, &Pair::in, w, y + n * out_size, out_size,
                         s.outputs, &Pair::out);
        });
    }

    // dw is added to.
    void backward(const V* x, const V* w, const V* g, V* dx, V* dw) const {
        std::vector<V> turned(dx ? taps.size() * s.inputs * s.outputs : 0);
        for (size_t at = 0; at < turned.size(); at += s.inputs * s.outputs)
            for (long i = 0; i < s.inputs; i++)
                for (long o = 0; o < s.outputs; o++) turned[at + o * s.inputs + i] = w[at + i * s.outputs + o];
        if (dx) std::fill_n(dx, s.samples * in_size, V{});
        each_group([&](long n, long samples) {
            weight_gradient(samples, x + n * in_size, g + n * out_size, dw);
            if (dx)
                add_products(samples, g + n * out_size, out_size, s.outputs, &Pair::out, turned.data(),
                             dx + n * in_size, in_size, s.inputs, &Pair::in);
        });
    }

  private:
    // At each place of one side, what its taps see of the other side times their weights, (tap, channel there, here).
    void add_products(long samples, const V* from, long from_size, long from_channels, long Pair::* there, const V* w,
                      V* to, long to_size, long to_channels, long Pair::* here) const {
        for (const auto& pairs : taps) {
            each_tile(to_channels, [&](long o, auto O) {
                for (const Pair& pair : pairs) {
                    V* at = to + pair.*here * to_channels + o;
                    tiles<V, V, O.value>(from + pair.*there * from_channels, 0, from_size, w + o, to_channels, 1,
                                         from_channels, samples, at, to_size, at, to_size);
                }
            });
            w += from_channels * to_channels;
        }
    }

    // Some channels of all places and samples, one sample after the other at each place: (place, sample, channel).
    static void gather(const V* from, long samples, long size, long channels, long first, long some, V* to) {
        for (long at = first; at < size; at += channels)
            for (long n = 0; n < samples; n++) to = std::copy_n(from + n * size + at, some, to);
    }

    void weight_gradient(long samples, const V* x, const V* g, V* dw) const {
        std::vector<V> some_x(samples * in_size / s.inputs * TILE), all_g(samples * out_size);
        each_tile(s.outputs, [&](long o, auto O) {
            gather(g, samples, out_size, s.outputs, o, O.value, all_g.data() + samples * out_size / s.outputs * o);
        });
        each_tile(s.inputs, [&](long i, auto I) {
            gather(x, samples, in_size, s.inputs, i, I.value, some_x.data());
            each_tile(s.outputs, [&](long o, auto O) {
                const V* some_g = all_g.data() + samples * out_size / s.outputs * o;
                for (size_t tap = 0; tap < taps.size(); tap++) {
                    V sum[I.value][O.value] = {};
                    for (const Pair& pair : taps[tap])
                        multiply<V, V, I.value, O.value>(samples, some_x.data() + pair.in * samples * I.value,
                                                         some_g + pair.out * samples * O.value, sum);
                    V* to = dw + (tap * s.inputs + i) * s.outputs + o;
                    UNROLL
                    for (int j = 0; j < I.value; j++) {
                        UNROLL
                        for (int p = 0; p < O.value; p++) to[j * s.outputs + p] += sum[j][p];
                    }
                }
            });
        });
    }
};
