/* Counter-based random numbers: Philox4x32-10 (Salmon et al. 2011, library Random123).
 *
 * A stream is a value made from what it is for, not shared state:
 *     key     = run seed
 *     counter = (draw, step or episode, row, purpose)
 * so any thread draws the same numbers for the same row, in any order, and a resumed run needs no
 * generator state: it makes the same streams again.
 *
 *     rein_rng rng = rein_rng_stream(seed, REIN_RNG_ACTION, row, step);
 *     double u = rein_rng_uniform(&rng);
 *
 * Thread-safety: a stream belongs to one thread; different streams are independent. */
#ifndef REIN_BASE_RNG_H
#define REIN_BASE_RNG_H

#include <Random123/philox.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>

typedef enum rein_rng_purpose {
    REIN_RNG_RESET = 1,    /* row = env, step = episode */
    REIN_RNG_DYNAMICS = 2, /* row = env, step = that env's step */
    REIN_RNG_ACTION = 3,   /* row = env, step = that env's step */
    REIN_RNG_REPLAY = 4,   /* row = 0, step = update; shuffling and sampling */
    REIN_RNG_INIT = 5,     /* row = network or layer, step = 0 */
    REIN_RNG_EVAL = 6,     /* row = evaluation env, step = episode */
    REIN_RNG_TEST = 7,     /* tests and benchmarks */
} rein_rng_purpose;

typedef struct rein_rng {
    philox4x32_key_t key;
    philox4x32_ctr_t counter; /* v[0] counts the blocks of four drawn so far */
    philox4x32_ctr_t block;   /* the current four numbers */
    int left;                 /* of them not yet given out */
} rein_rng;

/* The stream for (seed, purpose, row, step). `step` may use 56 bits. Cost: a few stores. */
static inline rein_rng rein_rng_stream(uint64_t seed, rein_rng_purpose purpose, uint32_t row,
                                       uint64_t step)
{
    rein_rng rng;
    rng.key.v[0] = (uint32_t)seed;
    rng.key.v[1] = (uint32_t)(seed >> 32);
    rng.counter.v[0] = 0;
    rng.counter.v[1] = (uint32_t)step;
    rng.counter.v[2] = row;
    rng.counter.v[3] = (uint32_t)purpose | (uint32_t)(step >> 32) << 8;
    rng.left = 0;
    return rng;
}

/* Uniform on all 32-bit numbers. Cost: one Philox block every four calls. */
static inline uint32_t rein_rng_u32(rein_rng *rng)
{
    if (rng->left == 0) {
        rng->block = philox4x32(rng->counter, rng->key);
        rng->counter.v[0]++;
        rng->left = 4;
    }
    return rng->block.v[4 - rng->left--];
}

/* Uniform on [0, 1), 53 random bits (two draws). */
static inline double rein_rng_uniform(rein_rng *rng)
{
    uint64_t high = rein_rng_u32(rng) >> 5, low = rein_rng_u32(rng) >> 6;
    return (double)(high << 26 | low) * 0x1p-53;
}

/* Uniform on [low, high). */
static inline double rein_rng_uniform_in(rein_rng *rng, double low, double high)
{
    return low + (high - low) * rein_rng_uniform(rng);
}

/* Uniform on [0, 1) in float, 24 random bits (one draw). */
static inline float rein_rng_uniform_f32(rein_rng *rng)
{
    return (float)(rein_rng_u32(rng) >> 8) * 0x1p-24f;
}

/* Uniform on {0, ..., n-1}, n >= 1, without bias (Lemire 2019, "Fast random integer generation
 * in an interval"). One draw, rarely more. */
static inline uint32_t rein_rng_below(rein_rng *rng, uint32_t n)
{
    uint64_t product = (uint64_t)rein_rng_u32(rng) * n;
    if ((uint32_t)product < n) {
        uint32_t threshold = (0u - n) % n;
        while ((uint32_t)product < threshold) {
            product = (uint64_t)rein_rng_u32(rng) * n;
        }
    }
    return (uint32_t)(product >> 32);
}

/* Standard normal (Box & Muller 1958); uses four draws, gives one number. */
static inline double rein_rng_normal(rein_rng *rng)
{
    double u = 1.0 - rein_rng_uniform(rng), v = rein_rng_uniform(rng);
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

/* n standard normals in float; vectorised where the compiler can.
 *   out  out  [n] f32
 * Draws: 2 * ceil(n / 2) numbers. Allocates: no. */
void rein_rng_normals(rein_rng *rng, float *out, int n);

/* Shuffle `index` [n] in place (Fisher & Yates; Durstenfeld 1964). Allocates: no. */
void rein_rng_shuffle(rein_rng *rng, int32_t *index, int n);

#endif
