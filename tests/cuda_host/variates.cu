// Everything that philox.cuh offers, once per thread.
#include "philox.cuh"

extern "C" __global__ void blocks(u32 threads, const u32* keys, const u64* numbers, u32* out) {
    const u32 n = blockIdx.x * blockDim.x + threadIdx.x;
    if (n >= threads) return;
    const Words words = stream_block(keys + 4 * n, numbers[n]);
    out[4 * n] = words.w0;
    out[4 * n + 1] = words.w1;
    out[4 * n + 2] = words.w2;
    out[4 * n + 3] = words.w3;
}

extern "C" __global__ void variates(
    u32 threads, const u32* words, const u32* ends, const float* x, float* waits, u32* indices, float* logarithms
) {
    const u32 n = blockIdx.x * blockDim.x + threadIdx.x;
    if (n >= threads) return;
    waits[n] = exponential(words[n]);
    indices[n] = index_below(words[n], ends[n]);
    logarithms[n] = log32(x[n]);
}
