// The network's own input as a background and what differs from it, x = c + s: images are mostly one value. What is
// listed here is read by every replica, in both directions, so it is made once a batch.
#pragma once

#include "types.h"

// Where one of two neighbouring samples differs, by samples and then inputs; and where a sample does, by inputs. Lanes
// that see other batches may share a list: what adds nothing to a sum leaves the order of its terms as it is.
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

    // `differs` (sample, input) says where any lane's input differs, `value(at)` there by how much. No branch asks for
    // it: half of them would be guessed wrongly.
    template <class F>
    Index(long samples, long inputs, const std::vector<char>& differs, F value) : entries_end(inputs) {
        for (size_t at = 0; at < differs.size(); at += inputs)
            for (long i = 0; i < inputs; i++) entries_end[i] += differs[at + i];
        size_t most = 0;
        std::vector<size_t> next(inputs);
        for (long i = 0; i < inputs; i++) next[i] = most, entries_end[i] = most += entries_end[i];
        entries.resize(most), pairs.resize(most + AHEAD);  // fetched ahead, and never read
        std::vector<int32_t> found(inputs + 1);
        auto where = [&](auto flag) {
            long count = 0;
            for (int32_t i = 0; i < inputs; i++) found[count] = i, count += flag(i);
            return count;
        };
        size_t end = 0;
        for (long s = 0; s < samples; s++) {
            long at = s * inputs;
            const char* here = &differs[at];
            for (long k = 0, count = where([=](long i) { return here[i]; }); k < count; k++)
                entries[next[found[k]]++] = {(int32_t)s, value(at + found[k])};
            if (s % 2) continue;
            bool alone = s + 1 == samples;
            const char* there = alone ? here : here + inputs;
            for (long k = 0, count = where([=](long i) { return here[i] | there[i]; }); k < count; k++)
                pairs[end++] = {found[k], value(at + found[k]), alone ? X{} : value(at + inputs + found[k])};
            pairs_end.push_back(end);
        }
    }
};

// Calls f(width, c) for the registers from c to count: W at a time, what is left four at a time, then one by one.
template <int W, class F> static inline void by_width(long count, F f, long c = 0) {
    for (; c + W <= count; c += W) f(std::integral_constant<int, W>(), c);
    if constexpr (W > 1) by_width<(W > 4 ? 4 : 1)>(count, f, c);
}

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
        shared[g] = std::make_unique<Index<T>>(s.samples, s.inputs, differing(s, {from}),
                                               [=](long at) { return from[at] - c; });
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
        mixed[p] = std::make_unique<Index<V>>(s.samples, s.inputs, differing(s, from), [&](long at) {
            I v = {};
            for (size_t k = 0; k < from.size(); k++) v |= members[k] & (I)(V{} + (from[k][at] - c));
            return (V)v;
        });
    }

    // Where any of some batches differs from the background.
    static std::vector<char> differing(const Linear& s, const std::vector<const T*>& batches) {
        std::vector<char> differs(s.samples * s.inputs);
        for (const T* x : batches)
            for (size_t at = 0; at < differs.size(); at++) differs[at] |= x[at] != (T)s.background;
        return differs;
    }

    // Calls f(index, first register, registers from one to the next, how many) for registers of a row that see the
    // same: W neighbours, or W of one pack, and then those of the next pack that lie between them.
    template <int W, class F> void each(const Linear& s, F f) const {
        if (alike && !mixed[0])
            return by_width<W>(s.outputs * s.packs, [&](auto some, long r) {
                f(*shared[s.group ? s.group[0] : 0], r, std::integral_constant<long, 1>(), some);
            });
        by_width<W>(s.outputs, [&](auto some, long o) {
            for (long p = 0; p < s.packs; p++) {
                if (mixed[p]) f(*mixed[p], o * s.packs + p, s.packs, some);
                else f(*shared[s.group[p * LANES]], o * s.packs + p, s.packs, some);
            }
        });
    }
};
