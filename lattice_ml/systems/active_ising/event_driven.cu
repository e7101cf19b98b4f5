// The event-driven update of the Active Ising Model, one thread per trajectory: the CUDA twin of event_driven.py.
#include "flip_chain.cuh"

constexpr u64 SWEEP = 4ull << 29;  // ticks between two sweeps that advance every chain
constexpr u64 BATCH = 512;         // events after whose multiples a launch may end

enum Outcome : u32 { REACHED, PAUSED, CROWDED };

// The tick at which all chains are next brought to the present, after they were at `swept`.
__device__ __forceinline__ u64 next_sweep(u64 swept, u64 target) {
    const u64 next = (swept / SWEEP + 1) * SWEEP;
    return next < target ? next : target;
}

template <typename Site>
__device__ __forceinline__ void run(
    u32 lane, u64 sites, u64* record, Site* position, const u64* first, u64* clock, const u64* target, u64 batches,
    const u8* edge, const u64* step, const u64* right, const float* mean, const u64* table, const u64* bits,
    const float* quick, const double* rate, const u64* plus, const u32* hop_key, const u32* flip_key, u32* outcome
) {
    // What an event rarely needs is read again from memory, whose first-level cache is near: registers are scarcer.
    clock += 4 * lane;
    const FlipRates rates = {quick, rate, plus, (u32)table[lane], (u32)bits[lane]};
    u32 stop, time_left;  // the next sweep (its low 32 bits, as in a stamp) and how far it is
    {
        const u64 next = next_sweep(clock[3], target[lane]);
        stop = (u32)next;
        time_left = (u32)(next - clock[0]);
    }
    Trials trials = {flip_key + 4 * lane, clock[2], 0, 0};
    u32 events = 0, before = 0, result = PAUSED;
    u32 swept = sites;  // sites that a sweep has brought to `stop`: all of them where no sweep is on
    u32 particle = 0, wait = 0, choice = 0, heads = 0, at_source = 0;  // of an event
    u32 moved = 0;                                                     // 0 until the spin of its particle is known
    u32 site = 0;
    // Each turn brings one site to a time: of a sweep, or the source or the target of an event.
    while (true) {
        const bool sweeping = swept < sites;
        if (sweeping) {
            site = swept;
        } else if (moved == 0) {
            if (events == (u32)(batches * BATCH - clock[1] % BATCH)) break;
            const Words words = stream_block(hop_key + 4 * lane, clock[1] + events);
            wait = (u32)(exponential(words.w0) * mean[lane] + 0.5f);
            if (wait > time_left) {
                swept = 0;
                continue;
            }
            particle = (u32)first[lane] + index_below(words.w1, (u32)(first[lane + 1] - first[lane]));
            choice = words.w2;
            heads = words.w3;
            before = trials.used;
            site = position[particle];
        }
        const u32 time = sweeping ? stop : stop - time_left + wait;
        const u64 entry = record[lane * sites + site];
        const int head = sweeping ? ALL_NEW : moved ? (int)(heads >> 16) : (int)(heads & 0xFFFFu);
        u32 c = (u32)entry;
        if (!sweeping & rates.crowded(c)) {
            trials.used = before;
            result = CROWDED;
            break;
        }
        // A chain that is quiet would come back as it goes in, so it is not advanced.
        if (sweeping | !rates.quiet(c, time - (u32)(entry >> 32), head)) {
            c = advance(c, time - (u32)(entry >> 32), head, rates, trials);
        }
        if (sweeping) {
            record[lane * sites + site] = c | (u64)stop << 32;
            if (++swept < sites) continue;
            const u64 now = next_sweep(clock[3], target[lane]), next = next_sweep(now, target[lane]);
            clock[3] = now;
            if (now == target[lane]) {
                result = REACHED;
                break;
            }
            time_left += (u32)(next - now);
            stop = (u32)next;
        } else if (moved == 0) {
            const Hop chosen = hop(choice, c & 0xFFFFu, occupation(c), right);
            at_source = c;
            moved = chosen.moved;
            site += (u32)step[4 * edge[site] + chosen.direction];
        } else {
            record[lane * sites + position[particle]] = (at_source - moved) | (u64)time << 32;
            record[lane * sites + site] = (c + moved) | (u64)time << 32;
            position[particle] = (Site)site;
            time_left -= wait;
            moved = 0;
            ++events;
        }
    }
    clock[0] = (result == REACHED ? clock[3] : next_sweep(clock[3], target[lane])) - time_left;
    clock[1] += events;
    clock[2] += trials.used;
    outcome[lane] = result;
}

#define KERNEL(NAME, SITE)                                                                                            \
    extern "C" __global__ void __launch_bounds__(128, 8) NAME(                                                        \
        u32 threads, u64 sites, u64* record, SITE* position, const u64* first, u64* clock, const u64* target,         \
        u64 batches, const u8* edge, const u64* step, const u64* right, const float* mean, const u64* table,          \
        const u64* bits, const float* quick, const double* rate, const u64* plus, const u32* hop_key,                 \
        const u32* flip_key, u32* outcome                                                                             \
    ) {                                                                                                               \
        const u32 lane = blockIdx.x * blockDim.x + threadIdx.x;                                                       \
        if (lane >= threads) return;                                                                                  \
        if (outcome[lane] == REACHED) return;                                                                         \
        run(lane, sites, record, position, first, clock, target, batches, edge, step, right, mean, table, bits,       \
            quick, rate, plus, hop_key, flip_key, outcome);                                                           \
    }

KERNEL(event_driven_16, u16)
KERNEL(event_driven_32, u32)
