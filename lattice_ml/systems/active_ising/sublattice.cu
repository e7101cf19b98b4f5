// Synchronous sublattices of the Active Ising Model, one thread per domain and trajectory: the twin of sublattice.py.
#include "flip_chain.cuh"

constexpr u32 NOBODY = 0xFFFFFFFFu;

// The strip of domains along y that a neighbouring site lies in.
__device__ __forceinline__ u32 strip_of(u32 y, const u32* y_edges, u32 y_domains) {
    u32 strip = 0;
    while (strip + 1 < y_domains && y_edges[strip + 1] <= y) ++strip;
    return strip;
}

extern "C" __global__ void __launch_bounds__(128, 8) sublattice(
    u32 threads, u32 phase, u32 colours, u32 per_colour, u32 width, u32 height, u32 x_domains, u32 y_domains,
    const u32* x_edges, const u32* y_edges, const u32* members, u64 window, u64 step, const u64* base,
    const u64* target, float unit, const u64* right, u64* record, u32* rows, u64* clock, const u64* table,
    const u64* bits, const float* quick, const double* rate, const u64* plus, const u32* hop_key, const u32* flip_key,
    u32* crowded
) {
    const u32 thread = blockIdx.x * blockDim.x + threadIdx.x;
    if (thread >= threads) return;
    const u32 lane = thread / per_colour;
    const u64 number_of_window = base[lane] + step;
    if (number_of_window >= target[lane]) return;
    // A lane that an earlier launch found crowded waits; who finds it so in this one does not stop the others.
    const u32 launch = (u32)step * colours + phase + 1, found = atomicOr(crowded + lane, 0u);
    if (found != 0 && found != launch) return;
    // Every other window takes the colours in reverse order.
    const u32 colour = number_of_window % 2 ? colours - 1 - phase : phase;
    const u32 domain = members[colour * per_colour + thread % per_colour];
    if (domain == NOBODY) return;
    clock += 4 * ((u64)lane * x_domains * y_domains + domain);
    if (clock[3] != number_of_window) return;

    const u32 strip = domain % y_domains;  // the domain's place along y
    const u32 x0 = x_edges[domain / y_domains], x1 = x_edges[domain / y_domains + 1];
    const u32 y0 = y_edges[strip], y1 = y_edges[strip + 1];
    const FlipRates rates = {quick, rate, plus, (u32)table[lane], (u32)bits[lane]};
    Trials trials = {flip_key + 4 * lane, clock[2], domain << 8, 0};
    const u32 corner = lane * width * height, rows_corner = lane * width * y_domains + strip;
    u32 particles = 0;  // now inside
    for (u32 x = x0; x < x1; ++x) particles += rows[rows_corner + x * y_domains];

    const u32 stop = (u32)((clock[3] + 1) * window);  // as in a stamp
    u32 time_left = (u32)((clock[3] + 1) * window - clock[0]);
    u32 events = 0, before = 0, x = x0, y = y0;
    u32 wait = 0, choice = 0, heads = 0, source = 0, at_source = 0;  // of an event
    u32 moved = 0;                                                   // 0 until the spin of its particle is known
    bool sweeping = false, full = false;
    // Each turn brings one site to a time: the source or the target of an event, or, when the window closes, all.
    while (true) {
        if (!sweeping && moved == 0) {
            bool closed = time_left == 0 || particles == 0;
            Words words = {};
            if (!closed) {
                words = stream_block(hop_key + 4 * lane, clock[1] + events, domain << 8);
                const u64 drawn = (u64)(exponential(words.w0) * (float)divide(unit, (float)particles) + 0.5f);
                closed = drawn > time_left;
                events += closed;
                wait = (u32)drawn;
            }
            x = x0;
            y = y0;
            if (closed) {
                time_left = 0;
                sweeping = true;
            } else {
                // Which particle hops: the row it is in, then the site.
                u32 left = index_below(words.w1, particles);
                for (u32 n; left >= (n = rows[rows_corner + x * y_domains]); ++x) left -= n;
                for (u32 n; left >= (n = occupation((u32)record[corner + x * height + y])); ++y) left -= n;
                choice = words.w2;
                heads = words.w3;
                before = trials.used;
            }
        }
        const u32 time = sweeping ? stop : stop - time_left + wait;
        const u64 entry = record[corner + x * height + y];
        const int head = sweeping ? ALL_NEW : moved ? (int)(heads >> 16) : (int)(heads & 0xFFFFu);
        u32 c = (u32)entry;
        full = rates.crowded(c);
        if (full) {
            if (!sweeping) trials.used = before;
            break;
        }
        // A chain that is quiet would come back as it goes in, so it is not advanced.
        if (sweeping || !rates.quiet(c, time - (u32)(entry >> 32), head)) {
            c = advance(c, time - (u32)(entry >> 32), head, rates, trials);
        }
        if (sweeping) {
            record[corner + x * height + y] = c | (u64)time << 32;
            if (++y == y1) {
                y = y0;
                if (++x == x1) break;
            }
            continue;
        }
        if (moved == 0) {
            const Hop chosen = hop(choice, c & 0xFFFFu, occupation(c), right);
            source = x * height + y;
            at_source = c;
            moved = chosen.moved;
            if (chosen.direction == 0) x = x + 1 == width ? 0 : x + 1;
            if (chosen.direction == 1) x = x == 0 ? width - 1 : x - 1;
            if (chosen.direction == 2) y = y + 1 == height ? 0 : y + 1;
            if (chosen.direction == 3) y = y == 0 ? height - 1 : y - 1;
            if (x0 <= x && x < x1 && y0 <= y && y < y1) continue;
            // The neighbour stands still; others may be sending it particles at this moment, and sums commute.
            const u32 to = y < y0 || y >= y1 ? strip_of(y, y_edges, y_domains) : strip;
            atomicAdd(record + corner + x * height + y, (u64)moved);
            atomicAdd(rows + rows_corner - strip + x * y_domains + to, 1u);
            --particles;
        } else {
            record[corner + x * height + y] = (c + moved) | (u64)time << 32;
            rows[rows_corner + x * y_domains] += 1;
        }
        record[corner + source] = (at_source - moved) | (u64)time << 32;
        rows[rows_corner + source / height * y_domains] -= 1;
        time_left -= wait;
        moved = 0;
        ++events;
    }
    if (full) atomicOr(crowded + lane, launch);
    clock[0] = (clock[3] + 1) * window - time_left;
    clock[1] += events;
    clock[2] += trials.used;
    clock[3] += !full;
}
