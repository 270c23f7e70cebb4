/* For tests whose body runs with every engine that this build has. */
#ifndef REIN_TESTS_ENGINES_H
#define REIN_TESTS_ENGINES_H

#include "nets/net.h"
#include "nets/torch/loader.h"

/* for (e = REIN_ENGINE_NATIVE, then REIN_ENGINE_TORCH where there is one) */
#define FOR_EACH_ENGINE(e)                                                                         \
    for (rein_engine_choice e = REIN_ENGINE_NATIVE;                                                \
         e <= (rein_torch_is_built() ? REIN_ENGINE_TORCH : REIN_ENGINE_NATIVE); e++)

#if defined __SANITIZE_ADDRESS__ && defined _OPENMP
#include <omp.h>
#include <stdlib.h>

/* GCC 12's leak check dies of OpenMP threads that wait beside a library loaded after them: it comes
 * when they have been sent home. */
static void send_threads_home(void)
{
    omp_pause_resource_all(omp_pause_hard);
}

__attribute__((constructor)) static void before_the_leak_check(void)
{
    atexit(send_threads_home);
}
#endif

#endif
