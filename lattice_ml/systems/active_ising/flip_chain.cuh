// The flips of one site between two hops: the CUDA twin of flip_chain.py, and what its callers share.
#pragma once
#include "philox.cuh"

// a / b, correctly rounded, for a >= 0 and b > 0 far from the ends of the range: the division that the compiler inlines
// calls a subroutine for those ends, around which it spills registers. Newton's iterations give the rounded reciprocal
// (a relative error of 1/8, squared five times), and the residual rounds the quotient: Markstein, IBM J. Res. Dev. 34,
// 111 (1990). His theorem leaves out one mantissa of b, that of all ones, which a rate has with a chance of 2^-52.
__device__ __forceinline__ double divide(double a, double b) {
    double y = __longlong_as_double(0x7FDE623822FC16E6ll - __double_as_longlong(b));
#pragma unroll 1
    for (int k = 0; k < 5; ++k) y = fma(fma(-b, y, 1.0), y, y);
    const double q = a * y;
    return fma(fma(-b, q, a), y, q);
}

// Natural logarithm of 0 < x <= 1.
__device__ __forceinline__ double log64(double x) {
    const long long bits = __double_as_longlong(x);
    double e = (double)(1022 - (int)(bits >> 52));
    x = __longlong_as_double((bits & 0x000FFFFFFFFFFFFFll) | 0x3FE0000000000000ll);  // in [1/2, 1)
    if (x < 0.7071067811865476) {
        x = x * 2.0;
        e += 1.0;
    }
    const double r = -divide(1.0 - x, x + 1.0);
    const double z = r * r;
    const double w = z * z;
    const double p =
        (1.0 / 3.0 + z * (1.0 / 5.0)) + w * ((1.0 / 7.0 + z * (1.0 / 9.0)) + w * (1.0 / 11.0 + z * (1.0 / 13.0)));
    return 2.0 * (r + r * z * p) - e * 0.6931471805599453;
}

// Particles on a site.
__device__ __forceinline__ u32 occupation(u32 counts) {
    return (counts & 0xFFFFu) + (counts >> 16);
}

// Tables of many temperatures end to end, of which a trajectory's begin at `first`; indexed by n+ | n- << bits: see
// FlipRates and RateTables. Offsets, not pointers into the tables: they take half the registers.
struct FlipRates {
    const float* quick;
    const double* rate;
    const u64* plus;
    u32 first, bits;

    __device__ __forceinline__ u32 index(u32 counts) const {
        return first + (counts & 0xFFFFu) + ((counts >> 16) << bits);
    }
    __device__ __forceinline__ bool crowded(u32 counts) const {
        return occupation(counts) >= (1u << bits) - 1u;
    }
    // Whether 16 bits suffice to tell that the chain of a site did not flip in `age` ticks.
    __device__ __forceinline__ bool quiet(u32 counts, u32 age, u32 head) const {
        return (float)head >= quick[index(counts)] * (float)age;
    }
};

constexpr int ALL_NEW = -1;  // no bits of a chain's first uniform are in hand

// A stream of trials, two to a block, from number `first` on, of which `used` are spent. key: of the trajectory; above:
// the domain's number in the upper bits of its last word.
struct Trials {
    const u32* key;
    u64 first;
    u32 above, used;
};

// Advance one site's chain by `age` ticks; counts: n+ | n- << 16. The high 16 bits of the first trial's uniform are `head`
// unless that is ALL_NEW.
__device__ __forceinline__ u32 advance(u32 counts, u32 age, int head, const FlipRates& rates, Trials& trials) {
    // See flip_chain.py for the bounds. gap: x - v; rest: x + log(1 - v), both in units of 1 / total.
    double gap = (double)age, rest = gap, total = 1.0;
    while (true) {
        const u32 index = rates.index(counts);
        const double after = rates.rate[index];
        const double lead = head == ALL_NEW ? 0.0 : (double)head * 0x1p-16;
        if (lead * total >= gap * after) return counts;
        const u64 trial = trials.first + trials.used++;
        const Words words = stream_block(trials.key, trial >> 1, trials.above);
        const bool second = trial & 1;
        const double fresh = ((double)(second ? words.w2 : words.w0) + 0.5) * 0x1p-32;
        const bool flips_plus = (second ? words.w3 : words.w1) < rates.plus[index];
        const double v = head == ALL_NEW ? fresh : lead + fresh * 0x1p-16;
        if (v * total >= gap * after) return counts;
        const double x = divide(rest, total) * after, log_left = log64(1.0 - v);
        if (v >= x - 0.5 * x * x && (v >= x || -log_left >= x)) return counts;
        gap = x - v;
        rest = x + log_left;
        total = after;
        counts += flips_plus ? 0xFFFFu : 0xFFFF0001u;  // (-1, +1) or (+1, -1)
        head = ALL_NEW;
    }
}

struct Hop {
    u32 moved;      // the hopping particle in a record: 1 or 1 << 16
    u32 direction;  // right, left, up, down
};

// Spin and direction of a hop from a site with `plus` of `rho`: the high half of choice x rho picks the particle, the
// low half is a fresh uniform for the direction. right: thresholds of a step to the right for a minus and a plus.
__device__ __forceinline__ Hop hop(u32 choice, u32 plus, u32 rho, const u64* right) {
    const u32 turn = choice * rho;
    const bool is_plus = __umulhi(choice, rho) < plus;
    const u32 direction = (u32)(turn >= right[is_plus]) + (u32)(turn >= 0x80000000u) + (u32)(turn >= 0xC0000000u);
    return {is_plus ? 1u : 0x10000u, direction};
}
