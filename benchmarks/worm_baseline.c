/* The worm algorithm for the flux form of the complex scalar field, as one writes it plainly: one chain, tables of the
   ratios of site weights, xoshiro256++ (D. Blackman & S. Vigna, ACM TOMS 47, 36 (2021)), a branch where the algorithm
   has one. Compiled with gcc -O3 -march=native. See worm.py beside it. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

static int width, height, volume, head, tail;
static int *k, *l, *f, *to; /* links 2 * site + direction; neighbours 4 * site + direction, backwards at 2 + direction */
static double *up, *down, forwards[2], backwards[2];
static uint64_t s[4];

static inline uint64_t rotl(uint64_t x, int n) { return (x << n) | (x >> (64 - n)); }

static inline uint64_t next(void) {
    const uint64_t result = rotl(s[0] + s[3], 23) + s[0], t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

static inline double uniform(void) { return (double)(next() >> 11) * 0x1p-53; }

/* log_w: log W(f), f = 0 ... largest; kt ... lx: a configuration. */
void start(int nt, int nx, double mu, int largest, const double *log_w, const int *state, uint64_t seed) {
    width = nt;
    height = nx;
    volume = nt * nx;
    head = tail = 0;
    k = realloc(k, 2 * volume * sizeof *k);
    l = realloc(l, 2 * volume * sizeof *l);
    f = realloc(f, volume * sizeof *f);
    to = realloc(to, 4 * volume * sizeof *to);
    up = realloc(up, (largest + 1) * sizeof *up);
    down = realloc(down, (largest + 1) * sizeof *down);
    for (int n = 0; n < largest; ++n) up[n] = exp(log_w[n + 1] - log_w[n]);
    for (int n = 1; n <= largest; ++n) down[n] = exp(log_w[n - 1] - log_w[n]);
    down[0] = up[largest] = 0;
    forwards[0] = exp(mu);
    backwards[0] = exp(-mu);
    forwards[1] = backwards[1] = 1;
    for (int x = 0; x < nt; ++x)
        for (int y = 0; y < nx; ++y) {
            const int site = x * nx + y;
            to[4 * site] = (x + 1) % nt * nx + y;
            to[4 * site + 1] = x * nx + (y + 1) % nx;
            to[4 * site + 2] = (x + nt - 1) % nt * nx + y;
            to[4 * site + 3] = x * nx + (y + nx - 1) % nx;
            f[site] = 0;
        }
    for (int site = 0; site < volume; ++site)
        for (int nu = 0; nu < 2; ++nu) {
            const int link = 2 * site + nu;
            k[link] = state[nu * volume + site];
            l[link] = state[(2 + nu) * volume + site];
            f[site] += abs(k[link]) + 2 * l[link];
            f[to[4 * site + nu]] += abs(k[link]) + 2 * l[link];
        }
    for (int n = 0; n < 4; ++n) { /* splitmix64 */
        uint64_t z = seed += 0x9E3779B97F4A7C15u;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        s[n] = z ^ (z >> 31);
    }
}

/* So many link steps; returns the number of those that end with the worm closed. */
int64_t steps(int64_t count) {
    int64_t closed = 0;
    for (int64_t n = 0; n < count; ++n) {
        if (head == tail) head = tail = (int)(uniform() * volume);
        const int direction = (int)(next() >> 62), nu = direction & 1, change = direction < 2 ? 1 : -1;
        const int there = to[4 * head + direction], link = 2 * (change > 0 ? head : there) + nu;
        double p = change > 0 ? forwards[nu] : backwards[nu];
        const int old = abs(k[link]), grown = abs(k[link] + change);
        if (grown > old)
            p *= up[f[head]] * up[f[there]] / (old + l[link] + 1);
        else
            p *= down[f[head]] * down[f[there]] * (old + l[link]);
        if (p >= 1 || uniform() < p) {
            k[link] += change;
            f[head] += grown - old;
            f[there] += grown - old;
            head = there;
        }
        closed += head == tail;
    }
    return closed;
}

/* One Metropolis step of l for every link. */
void sweep(void) {
    for (int link = 0; link < 2 * volume; ++link) {
        const int here = link / 2, there = to[4 * here + (link & 1)], bonds = abs(k[link]) + l[link];
        double p;
        if (next() >> 63) {
            p = up[f[here]] * up[f[here] + 1] * up[f[there]] * up[f[there] + 1] / ((bonds + 1.0) * (l[link] + 1.0));
            if (p >= 1 || uniform() < p) {
                l[link] += 1;
                f[here] += 2;
                f[there] += 2;
            }
        } else if (l[link] > 0) {
            p = down[f[here]] * down[f[here] - 1] * down[f[there]] * down[f[there] - 1] * bonds * l[link];
            if (p >= 1 || uniform() < p) {
                l[link] -= 1;
                f[here] -= 2;
                f[there] -= 2;
            }
        }
    }
}

void read_fluxes(int *state) {
    for (int site = 0; site < volume; ++site)
        for (int nu = 0; nu < 2; ++nu) {
            state[nu * volume + site] = k[2 * site + nu];
            state[(2 + nu) * volume + site] = l[2 * site + nu];
        }
}
