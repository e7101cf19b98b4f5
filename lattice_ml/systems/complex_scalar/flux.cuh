// What the kernels of worms share: f of the sites, random words in order, and a move of a worm's head.
#pragma once
#include "philox.cuh"

typedef signed short i16;
typedef long long i64;

constexpr u32 LOW30 = 0x3FFFFFFFu;

// f of every site of one configuration, int16 [4 sites].
__device__ __forceinline__ void measure_f(u32 height, u32 width, const i16* states, int* f) {
    const u32 volume = height * width;
    const i16 *k_t = states, *k_x = k_t + volume, *l_t = k_x + volume, *l_x = l_t + volume;
    for (u32 t = 0; t < height; ++t) {
        for (u32 x = 0; x < width; ++x) {
            const u32 site = t * width + x, before = (t ? site : site + volume) - width;
            const u32 left = (x ? site : site + width) - 1;
            f[site] = abs(k_t[site]) + abs(k_t[before]) + abs(k_x[site]) + abs(k_x[left]) +
                      2 * (l_t[site] + l_t[before] + l_x[site] + l_x[left]);
        }
    }
}

// The words of a stream one by one: word n is word n mod 4 of block first + n / 4.
struct Stock {
    const u32* key;
    u64 first, used;
    Words words;

    __device__ __forceinline__ Stock(const u32* key, u64 first, u64 used) : key(key), first(first), used(used) {
        words = stream_block(key, first + used / 4);
    }
    __device__ __forceinline__ u32 next() {
        const u32 at = (u32)used & 3;
        if (at == 0) words = stream_block(key, first + used / 4);
        ++used;
        return at < 2 ? (at ? words.w1 : words.w0) : at == 2 ? words.w2 : words.w3;
    }
};

// Tables of a lane, and its configuration.
struct Fluxes {
    const u32* to;
    const double *by_one, *factor, *fugacity;
    i16* states;
    int* f;
    u32 volume;

    // Try to move the head as `draw` says; returns where it is then. top: the larger f of its two sites, if it has moved.
    __device__ __forceinline__ u32 move(u32 head, u32 draw, int& top) const {
        const u32 direction = draw >> 30, there = to[4 * head + direction];
        const int sign = direction & 2 ? -1 : 1;
        i16* link = states + (direction & 1) * volume + (direction & 2 ? there : head);
        const int k = *link, number = abs(k) + link[2 * volume], rises = k * sign >= 0;
        const int a = f[head], b = f[there];
        const double p = (fugacity[direction] * factor[2 * number + rises]) *
                         (by_one[2 * a + rises] * by_one[2 * b + rises]);
        if ((i64)(draw & LOW30) >= (i64)(p + 0.5)) return head;
        const int change = 2 * rises - 1;
        *link = (i16)(k + sign);
        f[head] = a + change;
        f[there] = b + change;
        top = max(a, b) + change;
        return there;
    }

    // What leaves a site minus what enters it.
    __device__ __forceinline__ int divergence(u32 site) const {
        const i16* k_x = states + volume;
        return states[site] + k_x[site] - states[to[4 * site + 2]] - k_x[to[4 * site + 3]];
    }
};
