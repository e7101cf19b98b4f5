// Open worms, one thread per configuration: the CUDA twin of open_worms.py, where the algorithm is told.
#include "flux.cuh"

constexpr u32 MOST_WORDS = 1u << 26;

extern "C" __global__ void __launch_bounds__(128, 8) open_worms(
    u32 threads, u32 height, u32 width, u64 begin, u64 count, u64 readouts, u64 rows, const u32* to,
    const double* by_one, const double* factor, const double* fugacity, const u32* which, const u64* worms,
    const u32* keys, const u64* due, i16* states, int* f, u64* highest
) {
    const u32 thread = blockIdx.x * blockDim.x + threadIdx.x;
    if (thread >= threads) return;
    const u32 lane = thread / (u32)count, volume = height * width;
    const u64 place = lane * readouts + begin + thread % (u32)count;
    const Fluxes at = {
        to, by_one + rows * which[lane], factor, fugacity + 4 * which[lane], states + place * 4 * volume,
        f + (u64)thread * volume, volume
    };
    measure_f(height, width, at.states, at.f);
    Stock stock(keys + 4 * lane, due[place] << 32, 0);
    u32 missing = (u32)worms[lane], head = 0, tail = 0, number = 0, least = 0;
    int highest_f = 0;
    bool closed = true, lost = false;
    for (u32 word = 0; missing; ++word) {
        if (word == MOST_WORDS) {
            lost = true;
            break;
        }
        const u32 draw = stock.next();
        if (least == 0) {  // a new worm: so many steps at least
            least = index_below(draw, volume) + 1;
            number = 0;
            closed = true;
        } else if (closed) {
            head = tail = index_below(draw, volume);
            closed = at.divergence(head) < 0;  // no place for a tail: another one
        } else {
            int top = 0;
            head = at.move(head, draw, top);
            highest_f = max(highest_f, top);
            closed = head == tail;
            if (++number >= least && !closed && at.divergence(head) < 0 && at.divergence(tail) > 0) {
                --missing;
                least = 0;
            }
        }
    }
    highest[thread] = lost ? 1ull << 32 : (u64)highest_f;
}
