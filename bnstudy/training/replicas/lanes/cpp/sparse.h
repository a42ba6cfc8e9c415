// The network's own input as a background and what differs from it, x = c + s: images are mostly one value. What is
// listed here is read by every replica, in both directions, so it is made once a batch.
#pragma once

#include "types.h"

// Where one of two neighbouring samples differs, by samples and then inputs; and where a sample does, by inputs.
template <class X> struct Pair {
    int32_t input;
    X first, second;
};
template <class X> struct Entry {
    int32_t sample;
    X value;
};
template <class X> struct Index {
    std::vector<Pair<X>> pairs;
    std::vector<Entry<X>> entries;
    std::vector<size_t> pairs_end, entries_end;  // of each two samples, and of each input

    // `differs(s, i)` says whether any lane's input differs there, `value(s, i)` is by how much.
    template <class D, class F> Index(long samples, long inputs, D differs, F value) {
        for (long s = 0; s < samples; s += 2) {
            bool alone = s + 1 == samples;
            for (long i = 0; i < inputs; i++)
                if (differs(s, i) || (!alone && differs(s + 1, i)))
                    pairs.push_back({(int32_t)i, value(s, i), alone ? X{} : value(s + 1, i)});
            pairs_end.push_back(pairs.size());
        }
        pairs.resize(pairs.size() + AHEAD);  // fetched ahead, and never read
        for (long i = 0; i < inputs; i++) {
            for (long s = 0; s < samples; s++)
                if (differs(s, i)) entries.push_back({(int32_t)s, value(s, i)});
            entries_end.push_back(entries.size());
        }
    }
};

// What every pack sees: one batch for all its lanes, or several side by side.
template <class T> struct Sparse {
    using V = typename Types<T>::V;
    using I = typename Types<T>::I;
    static constexpr int LANES = Types<T>::LANES;
    std::vector<std::unique_ptr<Index<T>>> shared;  // of each batch that a whole pack sees
    std::vector<std::unique_ptr<Index<V>>> mixed;   // of each pack that sees several
    bool alike = true;                              // whether all packs see the same batch

    Sparse(const Linear& s, const void* x) : shared(s.groups), mixed(s.packs) {
        for (long p = 0; p < s.packs; p++) {
            const int32_t* group = s.group ? s.group + p * LANES : nullptr;
            alike = alike && (!group || std::equal(group, group + LANES, s.group,
                                                   [&](int32_t a, int32_t) { return a == s.group[0]; }));
            if (is_whole(group)) list(s, (const T*)x, group ? group[0] : 0);
            else mix(s, (const T*)x, p, group);
        }
    }
    static bool is_whole(const int32_t* group) { return !group || std::equal(group + 1, group + LANES, group); }

    void list(const Linear& s, const T* x, long g) {
        if (shared[g]) return;
        const T* from = x + g * s.samples * s.inputs;
        T c = (T)s.background;
        shared[g] = std::make_unique<Index<T>>(
            s.samples, s.inputs, [=](long n, long i) { return from[n * s.inputs + i] != c; },
            [=](long n, long i) { return from[n * s.inputs + i] - c; });
    }

    void mix(const Linear& s, const T* x, long p, const int32_t* group) {
        std::vector<const T*> from;
        std::vector<I> members;
        for (int l = 0; l < LANES; l++) {
            const T* own = x + group[l] * s.samples * s.inputs;
            size_t k = std::find(from.begin(), from.end(), own) - from.begin();
            if (k == from.size()) from.push_back(own), members.push_back(I{});
            members[k][l] = -1;
        }
        T c = (T)s.background;
        long inputs = s.inputs;
        mixed[p] = std::make_unique<Index<V>>(
            s.samples, inputs,
            [&](long n, long i) {
                return std::any_of(from.begin(), from.end(), [=](const T* x) { return x[n * inputs + i] != c; });
            },
            [&](long n, long i) {
                I v = {};
                for (size_t k = 0; k < from.size(); k++) v |= members[k] & (I)(V{} + (from[k][n * inputs + i] - c));
                return (V)v;
            });
    }

    // Calls f(index, first register, registers from one to the next, how many) for sets of a row's registers that see
    // the same: all of them, or those of each pack.
    template <class F> void each(const Linear& s, F f) const {
        if (alike && !mixed[0]) return f(*shared[s.group ? s.group[0] : 0], 0L, 1L, s.outputs * s.packs);
        for (long p = 0; p < s.packs; p++) {
            if (mixed[p]) f(*mixed[p], p, s.packs, s.outputs);
            else f(*shared[s.group[p * LANES]], p, s.packs, s.outputs);
        }
    }
};
