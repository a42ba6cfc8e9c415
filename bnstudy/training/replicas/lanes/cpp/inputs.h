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

// Numbers that all lanes share.
template <class T> struct SharedInput {
    const T* x;
    Padded<T> padded;
    SharedInput(const Block& s, const void* x) : x((const T*)x), padded(s) {}
    const T* sample(const Block& s, long n) {
        const T* from = x + n * s.height * s.width * s.inputs;
        return s.padding ? padded.fill(s, [=](long i) { return from[i]; }) : from;
    }
};

// Registers: they lie as they are read, or each lane's values come from what its group sees.
template <class T> struct LaneInput {
    using V = typename Types<T>::V;
    using I = typename Types<T>::I;
    const void* x;
    Padded<V> padded;
    std::vector<long> groups;  // those that occur, and who belongs to each; empty: each lane has its own
    std::vector<I> members;
    LaneInput(const Block& s, const void* x) : x(x), padded(s) {
        for (int l = 0; l < (s.sharing == 2 ? Types<T>::LANES : 0); l++) {
            size_t i = std::find(groups.begin(), groups.end(), (long)s.group[l]) - groups.begin();
            if (i == groups.size()) groups.push_back(s.group[l]), members.push_back(I{});
            members[i][l] = -1;
        }
    }
    const V* sample(const Block& s, long n) {
        long size = s.height * s.width * s.inputs;
        if (groups.empty()) {
            const V* own = (const V*)x + n * size;
            return s.padding ? padded.fill(s, [=](long i) { return own[i]; }) : own;
        }
        const T* from[Types<T>::LANES];
        for (size_t i = 0; i < groups.size(); i++) from[i] = (const T*)x + (groups[i] * s.samples + n) * size;
        return padded.fill(s, [&](long i) {
            I v = {};
            for (size_t k = 0; k < groups.size(); k++) v |= members[k] & (I)(V{} + from[k][i]);
            return (V)v;
        });
    }
};
