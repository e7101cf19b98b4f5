// Mistakes planted for the detectors to find, each beside its cure.
#include "philox.cuh"

// A site becomes a mixture of its four neighbours: safe for sites of one colour, a race for neighbours.
extern "C" __global__ void relax(u32 threads, const u32* members, u32 width, u32 height, u32* field) {
    const u32 n = blockIdx.x * blockDim.x + threadIdx.x;
    if (n >= threads || members[n] == 0xFFFFFFFFu) return;
    const u32 x = members[n] / height, y = members[n] % height;
    const u32 right = field[(x + 1) % width * height + y], left = field[(x + width - 1) % width * height + y];
    const u32 up = field[x * height + (y + 1) % height], down = field[x * height + (y + height - 1) % height];
    field[members[n]] = philox(right, left, up, down, 0, 0).w0;
}

// No serial order of threads shows the update that is lost when two threads read the same count.
extern "C" __global__ void tally(u32 threads, const u32* box, u32* counts) {
    const u32 n = blockIdx.x * blockDim.x + threadIdx.x;
    if (n < threads) counts[box[n]] += 1;
}

extern "C" __global__ void tally_by_atomics(u32 threads, const u32* box, u32* counts) {
    const u32 n = blockIdx.x * blockDim.x + threadIdx.x;
    if (n < threads) atomicAdd(counts + box[n], 1u);
}

template <typename Word> __device__ void all_atomics(Word x, Word* out) {
    atomicAdd(out, x);
    atomicOr(out + 1, x);
    atomicAnd(out + 2, x);
    atomicXor(out + 3, x);
    atomicMax(out + 4, x);
    atomicMin(out + 5, x);
}

extern "C" __global__ void atomics(u32 threads, const u32* x, const u64* y, u32* narrow, u64* wide) {
    const u32 n = blockIdx.x * blockDim.x + threadIdx.x;
    if (n >= threads) return;
    all_atomics(x[n], narrow);
    all_atomics(y[n], wide);
}

// No two threads meet, but who comes first gets the first place.
extern "C" __global__ void queue(u32 threads, u32* next, u32* places) {
    const u32 n = blockIdx.x * blockDim.x + threadIdx.x;
    if (n < threads) places[atomicAdd(next, 1u)] = n;
}

// Forgets that the last block has threads to spare.
extern "C" __global__ void overrun(u32 threads, u32* out) {
    out[blockIdx.x * blockDim.x + threadIdx.x] = threads;
}

// Floats that no u32 holds: the CPU, the GPU and numba each make another number of them.
extern "C" __global__ void narrow(u32 threads, const float* x, u32* out) {
    const u32 n = blockIdx.x * blockDim.x + threadIdx.x;
    if (n < threads) out[n] = (u32)x[n];
}
