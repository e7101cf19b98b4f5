/* The random-sequential update of the Active Ising Model as one would write it: the benchmark's yardstick.
 *
 * A particle is picked at random; with D (1 +- s eps), D, D out of 4 D + exp(beta) it hops, with exp(-s beta m / rho)
 * out of the same it flips, else nothing. Time advances by 1 / (N (4 D + exp(beta))) per pick. xoshiro256++.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

static uint64_t s[4];
static inline uint64_t rotl(uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }
static inline uint64_t next(void) {
    uint64_t result = rotl(s[0] + s[3], 23) + s[0], t = s[1] << 17;
    s[2] ^= s[0]; s[3] ^= s[1]; s[1] ^= s[2]; s[0] ^= s[3]; s[2] ^= t; s[3] = rotl(s[3], 45);
    return result;
}
static inline double uniform(void) { return (next() >> 11) * 0x1.0p-53; }

static int Lx, Ly, N, *px, *py, *spin, *plus, *minus;
static double T, D, eps;

void start(int lx, int ly, int n, double temperature, double hop, double bias, const int *x, const int *y,
           const int *sigma, uint64_t seed) {
    Lx = lx; Ly = ly; N = n; T = temperature; D = hop; eps = bias;
    for (int k = 0; k < 4; k++) { /* splitmix64 */
        uint64_t z = (seed += 0x9E3779B97F4A7C15ull);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
        s[k] = z ^ (z >> 31);
    }
    free(px); free(py); free(spin); free(plus); free(minus);
    px = malloc(n * sizeof(int)); py = malloc(n * sizeof(int)); spin = malloc(n * sizeof(int));
    plus = calloc(lx * ly, sizeof(int)); minus = calloc(lx * ly, sizeof(int));
    for (int k = 0; k < n; k++) {
        px[k] = x[k]; py[k] = y[k]; spin[k] = sigma[k];
        if (sigma[k] > 0) plus[x[k] * ly + y[k]]++; else minus[x[k] * ly + y[k]]++;
    }
}

void advance(double time) {
    double total = 4 * D + exp(1 / T);
    int64_t picks = (int64_t)(time * N * total + 0.5);
    for (int64_t n = 0; n < picks; n++) {
        int k = (int)(uniform() * N), i = px[k] * Ly + py[k];
        double u = uniform() * total;
        if (u < 4 * D) {
            int *count = spin[k] > 0 ? plus : minus;
            count[i]--;
            if (u < D * (1 + spin[k] * eps)) px[k] = px[k] == Lx - 1 ? 0 : px[k] + 1;
            else if (u < 2 * D) px[k] = px[k] == 0 ? Lx - 1 : px[k] - 1;
            else if (u < 3 * D) py[k] = py[k] == Ly - 1 ? 0 : py[k] + 1;
            else py[k] = py[k] == 0 ? Ly - 1 : py[k] - 1;
            count[px[k] * Ly + py[k]]++;
        } else {
            double m = plus[i] - minus[i], rho = plus[i] + minus[i];
            if (u - 4 * D < exp(-spin[k] * m / (rho * T))) {
                if (spin[k] > 0) { plus[i]--; minus[i]++; } else { minus[i]--; plus[i]++; }
                spin[k] = -spin[k];
            }
        }
    }
}

double magnetisation(void) {
    double m = 0;
    for (int k = 0; k < N; k++) m += spin[k];
    return m / N;
}
