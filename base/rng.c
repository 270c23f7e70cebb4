#include "base/rng.h"

enum { CHUNK = 64 };

void rein_rng_normals(rein_rng *rng, float *out, int n)
{
    float u[CHUNK], v[CHUNK], a[CHUNK], b[CHUNK];
    for (int start = 0; start < n; start += 2 * CHUNK) {
        int count = n - start < 2 * CHUNK ? n - start : 2 * CHUNK, pairs = (count + 1) / 2;
        for (int i = 0; i < pairs; i++) {
            u[i] = ((float)(rein_rng_u32(rng) >> 8) + 1.0f) * 0x1p-24f; /* (0, 1]: log is finite */
            v[i] = (float)(rein_rng_u32(rng) >> 8) * (0x1p-24f * 6.2831853f);
        }
        /* Fixed trip count: the same instructions, so the same bits, for any n. */
        for (int i = pairs; i < CHUNK; i++) {
            u[i] = 1.0f;
            v[i] = 0.0f;
        }
#pragma omp simd
        for (int i = 0; i < CHUNK; i++) {
            float r = sqrtf(-2.0f * logf(u[i]));
            a[i] = r * cosf(v[i]);
            b[i] = r * sinf(v[i]);
        }
        for (int i = 0; i < pairs; i++) {
            out[start + 2 * i] = a[i];
            if (2 * i + 1 < count) out[start + 2 * i + 1] = b[i];
        }
    }
}

void rein_rng_shuffle(rein_rng *rng, int32_t *index, int n)
{
    for (int i = n - 1; i > 0; i--) {
        int j = (int)rein_rng_below(rng, (uint32_t)i + 1);
        int32_t swap = index[i];
        index[i] = index[j];
        index[j] = swap;
    }
}
