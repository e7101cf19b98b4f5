// Compiles an unchanged .cu file with g++ and runs the threads of a launch one after another, in any order.
//
// Barriers, shared memory and warp intrinsics are missing on purpose: the kernels of this package have none (the end of
// a launch is the only meeting point), and one that used them would fail to compile here instead of running wrongly.
// Float denormals are flushed to zero, as on the GPU: CuPy adds -ftz=true to the options of every kernel.
#include <math.h>  // fma
#include <stdio.h>

#include <type_traits>

#define __global__
#define __device__
#define __constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)

struct Dimensions {
    unsigned x = 1, y = 1, z = 1;
};
static thread_local Dimensions gridDim, blockDim, blockIdx, threadIdx;

template <typename To, typename From> static inline To same_bits(From x) { return __builtin_bit_cast(To, x); }
static inline int __float_as_int(float x) { return same_bits<int>(x); }
static inline unsigned __float_as_uint(float x) { return same_bits<unsigned>(x); }
static inline float __int_as_float(int x) { return same_bits<float>(x); }
static inline float __uint_as_float(unsigned x) { return same_bits<float>(x); }
static inline long long __double_as_longlong(double x) { return same_bits<long long>(x); }
static inline double __longlong_as_double(long long x) { return same_bits<double>(x); }
static inline int __popc(unsigned x) { return __builtin_popcount(x); }
static inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
static inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)((unsigned long long)a * b >> 32); }
static inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
    return (unsigned long long)((unsigned __int128)a * b >> 64);
}
template <typename T> static inline T min(T a, T b) { return b < a ? b : a; }
template <typename T> static inline T max(T a, T b) { return a < b ? b : a; }

// Atomics return the old value.
#define ATOMIC(NAME, WORD, BUILTIN) \
    static inline WORD NAME(WORD* p, WORD x) { return BUILTIN(p, x, __ATOMIC_RELAXED); }
#define EXTREME(NAME, WORD, BEATS)                                                                                 \
    static inline WORD NAME(WORD* p, WORD x) {                                                                     \
        WORD old = __atomic_load_n(p, __ATOMIC_RELAXED);                                                           \
        while (x BEATS old && !__atomic_compare_exchange_n(p, &old, x, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}   \
        return old;                                                                                                \
    }
#define ATOMICS(WORD)                          \
    ATOMIC(atomicAdd, WORD, __atomic_fetch_add) \
    ATOMIC(atomicOr, WORD, __atomic_fetch_or)   \
    ATOMIC(atomicAnd, WORD, __atomic_fetch_and) \
    ATOMIC(atomicXor, WORD, __atomic_fetch_xor) \
    EXTREME(atomicMax, WORD, >)                 \
    EXTREME(atomicMin, WORD, <)
ATOMICS(unsigned)
ATOMICS(unsigned long long)

#if defined(__x86_64__)
struct FlushDenormals {  // sets FTZ and DAZ for its lifetime
    unsigned before = __builtin_ia32_stmxcsr();
    FlushDenormals() { __builtin_ia32_ldmxcsr(before | 0x8040); }
    ~FlushDenormals() { __builtin_ia32_ldmxcsr(before); }
};
#elif defined(__aarch64__)
struct FlushDenormals {  // sets FZ for its lifetime
    unsigned before = __builtin_aarch64_get_fpcr();
    FlushDenormals() { __builtin_aarch64_set_fpcr(before | 1u << 24); }
    ~FlushDenormals() { __builtin_aarch64_set_fpcr(before); }
};
#endif

// A type as numpy writes it ("u4", "f8"); pointers are "u4*", or "u4 const*" where the kernel only reads.
template <typename T> static int write_type(char* text) {
    using Pointee = std::remove_pointer_t<T>;
    static_assert(std::is_arithmetic_v<Pointee>, "kernels take numbers and arrays of numbers");
    const char kind = std::is_floating_point_v<Pointee> ? 'f' : std::is_signed_v<Pointee> ? 'i' : 'u';
    const char* pointer = !std::is_pointer_v<T> ? "" : std::is_const_v<Pointee> ? " const*" : "*";
    return sprintf(text, "%c%d%s;", kind, (int)sizeof(Pointee), pointer);
}

// `order` holds the numbers of all threads; begin, if any, is told each before it runs.
template <auto kernel> struct Launcher;
template <typename... A, void (*kernel)(A...)> struct Launcher<kernel> {
    static const char* signature() {
        static char text[12 * sizeof...(A)];
        char* end = text;
        ((end += write_type<A>(end)), ...);
        return text;
    }
    static void run(const unsigned* order, unsigned blocks, unsigned block, void (*begin)(unsigned), A... arguments) {
        const FlushDenormals flushed;
        gridDim.x = blocks;
        blockDim.x = block;
        for (unsigned n = 0; n < blocks * block; ++n) {
            blockIdx.x = order[n] / block;
            threadIdx.x = order[n] % block;
            if (begin) begin(order[n]);
            kernel(arguments...);
        }
    }
};
#define LAUNCHER(NAME)                                                                             \
    extern "C" const char* NAME##_signature() { return Launcher<NAME>::signature(); }               \
    extern "C" void* NAME##_launcher() { return reinterpret_cast<void*>(&Launcher<NAME>::run); }
