// Plaquettes, unconstrained l and straight lines of the flux form: the CUDA twin of checkerboard.py, where the algorithm
// is told. Threads of a launch share no site: each reads l and k of its links alone and f of their ends alone.
#include "philox.cuh"

typedef signed short i16;

constexpr u32 TIME = 0;
constexpr u32 COLOURED = 1u << 8;
constexpr double HALF_RANGE = 0x1p31, UNIT = 0x1p36, LARGE = 0x1p256, SMALL = 0x1p-256;

struct Link {
    int change;  // of |k|
    double ratio;
};

__device__ __forceinline__ Link of_link(int k, int l, int sign, const double* __restrict__ factor) {
    const int rises = k * sign >= 0;
    return {2 * rises - 1, factor[2 * (abs(k) + l) + rises]};
}

__device__ __forceinline__ double of_site(int f, int change, const double* __restrict__ weight) {
    return change == 0 ? 1.0 : weight[2 * f + (change > 0)];
}

extern "C" __global__ void measure_f(
    u32 threads, u32 height, u32 width, const u64* __restrict__ done, u64 step, const u64* __restrict__ target,
    const i16* __restrict__ states, int* __restrict__ f) {
    const u32 thread = blockIdx.x * blockDim.x + threadIdx.x;
    if (thread >= threads) return;
    const u32 volume = height * width, lane = thread / volume, site = thread % volume;
    if (done[lane] + step >= target[lane]) return;
    const u32 t = site / width, x = site % width;
    const u32 below = (t > 0 ? site : site + volume) - width, left = x > 0 ? site - 1 : site + width - 1;
    const i16 *k_t = states + 4ull * lane * volume, *k_x = k_t + volume, *l_t = k_x + volume, *l_x = l_t + volume;
    f[thread] = abs(k_t[site]) + abs(k_t[below]) + abs(k_x[site]) + abs(k_x[left]) +
                2 * (l_t[site] + l_t[below] + l_x[site] + l_x[left]);
}

extern "C" __global__ void plaquettes(
    u32 threads, u32 groups, u32 t0, u32 nt, u32 x0, u32 nx, u32 height, u32 width, u32 first, u32 blocks,
    const u64* __restrict__ done, u64 step, const u64* __restrict__ target, const u32* __restrict__ key,
    const u32* __restrict__ which, const double* __restrict__ by_two, u32 levels, const double* __restrict__ factor,
    int* __restrict__ f, i16* __restrict__ states) {
    const u32 thread = blockIdx.x * blockDim.x + threadIdx.x;
    if (thread >= threads) return;
    const u32 lane = thread / groups, group = thread % groups;
    const u64 sweep = done[lane] + step;
    if (sweep >= target[lane]) return;
    const Words words = stream_block(key + 4 * lane, sweep * blocks + first + group);
    const u32 word[4] = {words.w0, words.w1, words.w2, words.w3};
    const u32 volume = height * width;
    i16 *k_t = states + 4ull * lane * volume, *k_x = k_t + volume;
    const i16 *l_t = k_x + volume, *l_x = l_t + volume;
    int* at = f + (u64)lane * volume;
    const double* weight = by_two + 2ull * levels * which[lane];
#pragma unroll 1
    for (u32 n = 0; n < 4; ++n) {
        const u32 place = group + n * groups;
        if (place >= nt * nx) break;
        const u32 t = t0 + 2 * (place / nx), x = x0 + 2 * (place % nx);
        const u32 t1 = t + 1 < height ? t + 1 : 0, x1 = x + 1 < width ? x + 1 : 0;
        const u32 here = t * width + x, later = t1 * width + x, right = t * width + x1, both = t1 * width + x1;
        const int s = word[n] & 1 ? 1 : -1;
        const Link a = of_link(k_t[here], l_t[here], s, factor), b = of_link(k_x[later], l_x[later], s, factor);
        const Link c = of_link(k_t[right], l_t[right], -s, factor), d = of_link(k_x[here], l_x[here], -s, factor);
        double ratio = a.ratio * b.ratio * (c.ratio * d.ratio);
        ratio *= of_site(at[here], a.change + d.change, weight) * of_site(at[later], a.change + b.change, weight);
        ratio *= of_site(at[both], b.change + c.change, weight) * of_site(at[right], c.change + d.change, weight);
        if (!((double)(word[n] >> 1) + 0.5 < ratio * HALF_RANGE)) continue;
        k_t[here] += s;
        k_x[later] += s;
        k_t[right] -= s;
        k_x[here] -= s;
        at[here] += a.change + d.change;
        at[later] += a.change + b.change;
        at[both] += b.change + c.change;
        at[right] += c.change + d.change;
    }
}

extern "C" __global__ void links(
    u32 threads, u32 groups, u32 direction, u32 t0, u32 nt, u32 st, u32 x0, u32 nx, u32 sx, u32 height, u32 width,
    u32 first, u32 blocks, const u64* __restrict__ done, u64 step, const u64* __restrict__ target,
    const u32* __restrict__ key, const u32* __restrict__ which, const double* __restrict__ by_two, u32 levels,
    const double* __restrict__ factor, int* __restrict__ f, i16* __restrict__ states) {
    const u32 thread = blockIdx.x * blockDim.x + threadIdx.x;
    if (thread >= threads) return;
    const u32 lane = thread / groups, group = thread % groups;
    const u64 sweep = done[lane] + step;
    if (sweep >= target[lane]) return;
    const Words words = stream_block(key + 4 * lane, sweep * blocks + first + group, COLOURED);
    const u32 word[4] = {words.w0, words.w1, words.w2, words.w3};
    const u32 volume = height * width;
    const i16* flux = states + (4ull * lane + direction) * volume;
    i16* free = states + (4ull * lane + 2 + direction) * volume;
    int* at = f + (u64)lane * volume;
    const double* weight = by_two + 2ull * levels * which[lane];
#pragma unroll 1
    for (u32 n = 0; n < 4; ++n) {
        const u32 place = group + n * groups;
        if (place >= nt * nx) break;
        const u32 t = t0 + st * (place / nx), x = x0 + sx * (place % nx);
        const u32 t1 = direction != TIME ? t : t + 1 < height ? t + 1 : 0;
        const u32 x1 = direction == TIME ? x : x + 1 < width ? x + 1 : 0;
        const u32 link = t * width + x, end = t1 * width + x1;
        const int l = free[link], top = abs(flux[link]) + l, way = word[n] & 1, s = 2 * way - 1;
        const double ratio = factor[2 * top + way] * factor[2 * l + way] *
                             (weight[2 * at[link] + way] * weight[2 * at[end] + way]);
        if (!((double)(word[n] >> 1) + 0.5 < ratio * HALF_RANGE)) continue;
        free[link] += s;
        at[link] += 2 * s;
        at[end] += 2 * s;
    }
}

extern "C" __global__ void lines(
    u32 threads, u32 direction, u32 height, u32 width, u32 first, u32 blocks, const u64* __restrict__ done, u64 step,
    const u64* __restrict__ target, const u32* __restrict__ key, const u32* __restrict__ which,
    const double* __restrict__ by_two, u32 levels, const double* __restrict__ factor,
    const double* __restrict__ fugacity, int* __restrict__ f, i16* __restrict__ states, u64* __restrict__ accepted) {
    const u32 thread = blockIdx.x * blockDim.x + threadIdx.x;
    if (thread >= threads) return;
    const u32 length = direction == TIME ? height : width, across = direction == TIME ? width : height;
    const u32 stride = direction == TIME ? width : 1, between = direction == TIME ? 1 : width;
    const u32 lane = thread / across, line = thread % across;
    const u64 sweep = done[lane] + step;
    if (sweep >= target[lane]) return;
    const Words words = stream_block(key + 4 * lane, sweep * blocks + first + line);
    const u32 volume = height * width, start = line * between;
    i16* k = states + (4ull * lane + direction) * volume;
    const i16* l = states + (4ull * lane + 2 + direction) * volume;
    int* at = f + (u64)lane * volume;
    const double* weight = by_two + 2ull * levels * which[lane];

    const int s = words.w0 & 1 ? 1 : -1;
    const double extra = direction == TIME ? fugacity[2 * which[lane] + ((s + 1) >> 1)] : 1.0;
    const int closing = k[start + (length - 1) * stride] * s >= 0 ? 1 : -1;
    double ratio = 1.0;
    int scale = 0, before = closing;
    for (u32 n = 0; n < length; ++n) {
        const u32 place = start + n * stride;
        const Link link = of_link(k[place], l[place], s, factor);
        ratio *= link.ratio * extra * of_site(at[place], before + link.change, weight);
        before = link.change;
        if (ratio > LARGE) {
            ratio *= SMALL;
            ++scale;
        } else if (ratio < SMALL) {
            ratio *= LARGE;
            --scale;
        }
    }
    if (scale > 0) ratio = 1.0;
    if (scale < 0) ratio = scale == -1 ? ratio * SMALL : 0.0;
    accepted[lane * (height + width) + first + line] += (u64)(min(ratio, 1.0) * UNIT);
    const u64 word = (u64)words.w1 << 21 | words.w2 >> 11;
    if (!(((double)word + 0.5) * 0x1p-53 < ratio)) return;
    before = closing;
    for (u32 n = 0; n < length; ++n) {
        const u32 place = start + n * stride;
        const int change = k[place] * s >= 0 ? 1 : -1;
        at[place] += before + change;
        k[place] += s;
        before = change;
    }
}
