// Philox4x32-10 and the variates made of its words: the CUDA twin of lattice_ml/rng.py, where the sources are named.
//
// Compiled with contraction off (device.OPTIONS), so that every + - x is rounded as on the CPU.
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

struct Words {
    u32 w0, w1, w2, w3;
};

// One block: counter words c0 ... c3, key words k0, k1.
__device__ __forceinline__ Words philox(u32 c0, u32 c1, u32 c2, u32 c3, u32 k0, u32 k1) {
#pragma unroll
    for (int round = 0; round < 10; ++round) {
        const u32 high0 = __umulhi(0xD2511F53u, c0), low0 = 0xD2511F53u * c0;
        const u32 high1 = __umulhi(0xCD9E8D57u, c2), low1 = 0xCD9E8D57u * c2;
        c0 = high1 ^ c1 ^ k0;
        c2 = high0 ^ c3 ^ k1;
        c1 = low1;
        c3 = low0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return {c0, c1, c2, c3};
}

// Block `number` of the stream `key`: (seed, replica, point key, stream); above: more bits of the stream's number.
__device__ __forceinline__ Words stream_block(const u32* key, u64 number, u32 above = 0) {
    return philox((u32)number, (u32)(number >> 32), key[2], key[3] | above, key[0], key[1]);
}

// Natural logarithm of a normal float x > 0.
__device__ __forceinline__ float log32(float x) {
    const int bits = __float_as_int(x) - 0x3F3504F3;
    const float e = (float)(bits >> 23);
    const float r = __int_as_float((bits & 0x007FFFFF) + 0x3F3504F3) - 1.0f;
    const float z = r * r;
    float p = 7.0376836292e-2f;
    p = p * r + -1.1514610310e-1f;
    p = p * r + 1.1676998740e-1f;
    p = p * r + -1.2420140846e-1f;
    p = p * r + 1.4249322787e-1f;
    p = p * r + -1.6668057665e-1f;
    p = p * r + 2.0000714765e-1f;
    p = p * r + -2.4999993993e-1f;
    p = p * r + 3.3333331174e-1f;
    p = p * r * z;
    p = p + e * -2.12194440e-4f;
    p = p - 0.5f * z;
    return (r + p) + e * 0.693359375f;
}

// Exponential variate of mean 1: -log((word + 1/2) / 2^32).
__device__ __forceinline__ float exponential(u32 word) {
    return -log32((float)word * 0x1p-32f + 0x1p-33f);
}

// A uniform index 0 ... n - 1.
__device__ __forceinline__ u32 index_below(u32 word, u32 n) {
    return __umulhi(word, n);
}
