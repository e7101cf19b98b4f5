// The worm algorithm, one thread per trajectory: the CUDA twin of worm.py and links.py, where the algorithms are told.
#include "flux.cuh"

constexpr u64 BURST = 64;

// A sweep of l; returns the largest f that it leaves.
__device__ __forceinline__ int sweep(
    const Fluxes& at, const u32* key, u64 number, const u32* order, const double* by_two
) {
    const u32 links = 2 * at.volume;
    Stock stock(key, number * ((links + 3) / 4), 0);
#pragma unroll 1
    for (u32 p = 0; p < links; ++p) {
        const u32 in_space = p >= at.volume, here = order[p], there = at.to[4 * here + in_space];
        i16* link = at.states + in_space * at.volume + here;
        const int free = link[2 * at.volume], bonds = abs(*link) + free;
        const u32 draw = stock.next();
        const int way = draw >> 31, a = at.f[here], b = at.f[there];
        const double ratio =
            (at.factor[2 * bonds + way] * at.factor[2 * free + way]) * (by_two[2 * a + way] * by_two[2 * b + way]);
        if ((i64)(draw & 0x7FFFFFFFu) >= (i64)(ratio * 0x1p31 + 0.5)) continue;
        const int change = 2 * way - 1;
        link[2 * at.volume] = (i16)(free + change);
        at.f[here] = a + 2 * change;
        at.f[there] = b + 2 * change;
    }
    int highest = at.f[0];
    for (u32 site = 1; site < at.volume; ++site) highest = max(highest, at.f[site]);
    return highest;
}

extern "C" __global__ void __launch_bounds__(128, 8) worm(
    u32 threads, u64 steps, u32 height, u32 width, u64 readouts, u64 rows, const u32* to, const u32* order,
    const double* by_one, const double* by_two, const double* factor, const double* fugacity, const u32* which,
    const u64* closings, const u32* worm_key, const u32* link_key, const u64* due, i16* states, int* f, u64* walker,
    u64* clock, u64* highest, i16* out
) {
    const u32 lane = blockIdx.x * blockDim.x + threadIdx.x;
    if (lane >= threads) return;
    const u32 volume = height * width;
    const u64 row = rows * which[lane];
    const Fluxes at = {
        to, by_one + row, factor, fugacity + 4 * which[lane], states + 4ull * lane * volume, f + (u64)lane * volume, volume
    };
    measure_f(height, width, at.states, at.f);
    clock += 4 * lane;
    if (clock[3] >= readouts) return;
    Stock stock(worm_key + 4 * lane, 0, clock[0]);
    u32 head = (u32)walker[2 * lane], tail = (u32)walker[2 * lane + 1];
    u64 left = clock[2];
    for (u32 step = (u32)(steps / BURST * BURST); step; --step) {
        int top;
        head = at.move(head, stock.next(), top);
        if (head != tail) continue;
        head = tail = index_below(stock.next(), volume);
        if (--left) continue;

        const u64 done = clock[1], read = clock[3];
        const u64 met = (u64)sweep(at, link_key + 4 * lane, done, order, by_two + row);
        if (met > highest[lane]) highest[lane] = met;
        clock[1] = done + 1;
        left = closings[lane];
        if (due[lane * readouts + read] == done + 1) {
            i16* copy = out + (lane * readouts + read) * 4 * volume;
            for (u32 n = 0; n < 4 * volume; ++n) copy[n] = at.states[n];
            clock[3] = read + 1;
            if (read + 1 == readouts) break;
        }
    }
    walker[2 * lane] = head;
    walker[2 * lane + 1] = tail;
    clock[0] = stock.used;
    clock[2] = left;
}
