// The random-sequential update of the Active Ising Model, one thread per trajectory: the twin of random_sequential.py.
#include "philox.cuh"

constexpr u64 BATCH = 1024;  // picks after whose multiples a launch may end

enum Outcome : u32 { REACHED, PAUSED, CROWDED };

template <typename Word>
__device__ __forceinline__ void run(
    u32 lane, u64 sites, Word* counts, Word* particle_state, const u64* first, u64* clock, const u64* target,
    u64 batches, const u8* edge, const u64* step, const u32* turns, const float* mean, const u64* table,
    const u64* bits, const u32* flips, const u32* pick_key, const u32* time_key, u32* outcome
) {
    if (outcome[lane] == REACHED) return;
    const u32 particles = (u32)(first[lane + 1] - first[lane]), width = (u32)bits[lane];
    const u32 crowded = (1u << (width - 1)) | (1u << (2 * width - 1));
    counts += lane * sites;
    particle_state += first[lane];
    clock += 2 * lane;
    turns += 8 * lane;
    flips += table[lane];
    pick_key += 4 * lane;
    time_key += 4 * lane;
    u64 now = clock[0], number = clock[1];
    const u64 begin = number, last = (number / BATCH + batches) * BATCH;
    Words picks = {}, waits = {};
    u32 result = PAUSED;
    for (; number < last; ++number) {
        if (number == begin || number % 2 == 0) picks = stream_block(pick_key, number / 2);
        if (number == begin || number % 4 == 0) waits = stream_block(time_key, number / 4);
        const u32 part = number % 4;
        const u32 word = part == 0 ? waits.w0 : part == 1 ? waits.w1 : part == 2 ? waits.w2 : waits.w3;
        const u64 time = now + (u64)(exponential(word) * mean[lane]);
        if (time > target[lane]) {
            result = REACHED;
            break;
        }
        const u32 p = index_below(number % 2 ? picks.w2 : picks.w0, particles), u = number % 2 ? picks.w3 : picks.w1;
        const u64 q = particle_state[p];
        const u64 i = q >> 1;
        const u32 spin = q & 1, c = counts[i];
        if (c & crowded) {
            result = CROWDED;
            break;
        }
        const u32* turn = turns + 4 * spin;
        const u32 s = (u32)(u >= turn[0]) + (u32)(u >= turns[1]) + (u32)(u >= turns[2]) + (u32)(u >= turns[3]);
        const u64 flip = (u32)~u < flips[((u64)spin << (2 * width)) + c];
        const u64 r = (q + step[8 * edge[i] + s]) ^ flip;
        counts[i] = (Word)(c - (spin ? 1u << width : 1u));
        counts[r >> 1] += (Word)(r & 1 ? 1u << width : 1u);
        particle_state[p] = (Word)r;
        now = time;
    }
    clock[0] = now;
    clock[1] = number;
    outcome[lane] = result;
}

#define KERNEL(NAME, WORD)                                                                                            \
    extern "C" __global__ void __launch_bounds__(128, 8) NAME(                                                        \
        u32 threads, u64 sites, WORD* counts, WORD* particle_state, const u64* first, u64* clock, const u64* target,  \
        u64 batches, const u8* edge, const u64* step, const u32* turns, const float* mean, const u64* table,          \
        const u64* bits, const u32* flips, const u32* pick_key, const u32* time_key, u32* outcome                     \
    ) {                                                                                                               \
        const u32 lane = blockIdx.x * blockDim.x + threadIdx.x;                                                       \
        if (lane >= threads) return;                                                                                  \
        run(lane, sites, counts, particle_state, first, clock, target, batches, edge, step, turns, mean, table, bits, \
            flips, pick_key, time_key, outcome);                                                                      \
    }

KERNEL(random_sequential_16, u16)
KERNEL(random_sequential_32, u32)
