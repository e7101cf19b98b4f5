// The arithmetic of flip_chain.cuh, once per thread.
#include "../../lattice_ml/systems/active_ising/flip_chain.cuh"

extern "C" __global__ void quotients(u32 threads, const double* a, const double* b, double* out) {
    const u32 n = blockIdx.x * blockDim.x + threadIdx.x;
    if (n < threads) out[n] = divide(a[n], b[n]);
}

extern "C" __global__ void logarithms(u32 threads, const double* x, double* out) {
    const u32 n = blockIdx.x * blockDim.x + threadIdx.x;
    if (n < threads) out[n] = log64(x[n]);
}
