/* A folder for each test of a file, with cmocka:
 *
 *     cmocka_unit_test_setup_teardown(test_x, folder_setup, folder_teardown)
 *
 * Include it behind headers whose parameters are called `folder`. */
#ifndef REIN_TESTS_FOLDER_H
#define REIN_TESTS_FOLDER_H

#include "tests/replay/temporary.h"

static char folder[128]; /* path of the folder of the test that runs */

static inline int folder_setup(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "%s", temporary_folder());
    return 0;
}

static inline int folder_teardown(void **state)
{
    (void)state;
    temporary_remove(folder);
    return 0;
}

#endif
