/* For tests whose body runs with every engine that this build has. */
#ifndef REIN_TESTS_ENGINES_H
#define REIN_TESTS_ENGINES_H

#include "nets/net.h"
#include "nets/torch/loader.h"

/* for (e = REIN_ENGINE_NATIVE, then REIN_ENGINE_TORCH where there is one) */
#define FOR_EACH_ENGINE(e)                                                                         \
    for (rein_engine_choice e = REIN_ENGINE_NATIVE;                                                \
         e <= (rein_torch_is_built() ? REIN_ENGINE_TORCH : REIN_ENGINE_NATIVE); e++)

#endif
