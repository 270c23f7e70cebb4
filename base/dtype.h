/* Element types of arrays that leave the program: batches, checkpoints, rollouts. */
#ifndef REIN_BASE_DTYPE_H
#define REIN_BASE_DTYPE_H

#include <stddef.h>

typedef enum rein_dtype { REIN_F32, REIN_F64, REIN_U8, REIN_I32, REIN_U32, REIN_I64 } rein_dtype;

/* Bytes of one element. */
static inline size_t rein_dtype_size(rein_dtype type)
{
    return type == REIN_U8 ? 1 : (type == REIN_F64 || type == REIN_I64) ? 8 : 4;
}

#endif
