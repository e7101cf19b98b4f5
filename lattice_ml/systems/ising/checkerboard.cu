// One colour of a checkerboard sweep of the Ising model: the CUDA twin of checkerboard.py, where the algorithm is told.
#include "philox.cuh"

static const u32 NOBODY = 0xFFFFFFFFu;

// A thread updates up to four sites of one lane, `groups` apart in the list of the colour's sites. They read sites of
// other colours, which nobody writes in this launch, and each writes its own.
extern "C" __global__ void checkerboard(
    u32 threads, u32 groups, u32 first, u32 blocks, u64 step, u32 width, u32 height, const u32* __restrict__ site_of,
    const u64* __restrict__ done, const u64* __restrict__ target, const u64* __restrict__ threshold,
    const u32* __restrict__ key, u8* __restrict__ up, u32* __restrict__ turned) {
    const u32 thread = blockIdx.x * blockDim.x + threadIdx.x;
    if (thread >= threads) return;
    const u32 lane = thread / groups, group = thread % groups;
    const u64 sweep = done[lane] + step;
    if (sweep >= target[lane]) return;

    const Words words = stream_block(key + 4 * lane, sweep * blocks + first + group);
    const u32 word[4] = {words.w0, words.w1, words.w2, words.w3};
    const u32* mine = site_of + 4 * first + group;
    u8* lattice = up + (u64)lane * width * height;
    u32 flips = 0;
#pragma unroll
    for (u32 k = 0; k < 4; ++k) {
        const u32 site = mine[k * groups];
        if (site == NOBODY) break;
        const u32 x = site / height, y = site % height, line = x * height;
        const u32 right = (x + 1 < width ? line + height : 0) + y;
        const u32 left = (x > 0 ? line : width * height) - height + y;
        const u32 above = y + 1 < height ? site + 1 : line;
        const u32 below = (y > 0 ? site : line + height) - 1;
        const u32 neighbours = lattice[right] + lattice[left] + lattice[above] + lattice[below];
        const u8 spin = word[k] < threshold[5 * lane + neighbours];
        flips += spin != lattice[site];
        lattice[site] = spin;
    }
    turned[(u64)lane * blocks + first + group] += flips;
}
