/* tanh inside vectorised loops. Internal to nets/. */
#ifndef REIN_NETS_TANH_H
#define REIN_NETS_TANH_H

#include <math.h>
#include <stdint.h>

/* tanh as x P(x^2) / Q(x^2), without a call; libmvec's takes a quarter longer, and not every
 * machine has it. The coefficients are our own least squares in double over |x| < 9.02, reweighted
 * (Lawson) until the relative error was even, 2e-8; in float within 5 units in the last place, 6
 * without FMA. Odd; beyond 9.02, where tanh rounds to +-1, x^2 stops growing and the result is cut;
 * NaN stays NaN. */
typedef union rein_float_bits {
    float value;
    int32_t word;
} rein_float_bits;

static inline float rein_tanh(float x)
{
    /* Floats >= 0 are in the order of their bits, and one instruction takes the lesser integer. */
    const rein_float_bits limit = {.value = 81.3604f}, square = {.value = x * x};
    const float t =
        (rein_float_bits){.word = limit.word < square.word ? limit.word : square.word}.value;
    const float p =
        1.0f + t * (0.133797109f + t * (3.49402591e-3f + t * (2.0583333e-5f + t * 1.33188607e-8f)));
    const float q = 1.0f + t * (0.467130274f +
                                t * (2.58710403e-2f + t * (3.28307826e-4f + t * 7.76193417e-7f)));
    const float y = x * p / q, size = fabsf(y);
    return copysignf(1.0f < size ? 1.0f : size, y);
}

#endif
