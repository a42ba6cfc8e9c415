// One sample's input, with its border of zeros: of each lane its own, or shared by all, or by groups of them.
#pragma once

#include "types.h"

template <class X> struct Padded {
    std::vector<X> buffer;
    explicit Padded(const Block& s) : buffer((s.height + 2 * s.padding) * in_row(s)) {}

    template <class F> const X* fill(const Block& s, F value) {
        long pad = s.padding, row = in_row(s);
        for (long h = 0; h < s.height; h++)
            for (long i = 0; i < s.width * s.inputs; i++)
                buffer[(h + pad) * row + pad * s.inputs + i] = value(h * s.width * s.inputs + i);
        return buffer.data();
    }
};

// Values that lie as they are read: numbers that all lanes share, or registers.
template <class X> struct DirectInput {
    const X* x;
    Padded<X> padded;
    DirectInput(const Block& s, const void* x) : x((const X*)x), padded(s) {}
    const X* sample(const Block& s, long n) {
        const X* from = x + n * s.height * s.width * s.inputs;
        return s.padding ? padded.fill(s, [=](long i) { return from[i]; }) : from;
    }
};
template <class T> using SharedInput = DirectInput<T>;
template <class T> using OwnInput = DirectInput<typename Types<T>::V>;

template <class T> struct GroupedInput {
    using V = typename Types<T>::V;
    using I = typename Types<T>::I;
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
