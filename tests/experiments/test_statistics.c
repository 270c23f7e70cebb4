#include "experiments/statistics.h"

#include <math.h>

#include "tests/replay/temporary.h"

static void test_of(void **state)
{
    (void)state;
    const double x[] = {1, 2, 3, 4, 10};
    rein_statistics s = rein_statistics_of(x, 5);
    assert_int_equal(s.n, 5);
    assert_true(s.mean == 4);
    assert_true(s.min == 1 && s.max == 10);
    assert_true(fabs(s.std - 3.5355339059327378) < 1e-12);       /* sqrt(50 / 4) */
    assert_true(fabs(s.half_width - 2.7764 * 1.5811388) < 1e-4); /* t(4) std / sqrt(5) */
    s = rein_statistics_of(x + 4, 1);
    assert_true(s.mean == 10 && s.std == 0 && s.half_width == 0 && s.min == 10 && s.max == 10);
}

/* Student's t as in any table. */
static void test_t(void **state)
{
    (void)state;
    const struct {
        int degrees;
        double value;
    } known[] = {{1, 12.7062}, {2, 4.3027},  {4, 2.7764},  {6, 2.4469},  {7, 2.3646},
                 {9, 2.2622},  {14, 2.1448}, {29, 2.0452}, {99, 1.9842}, {100000, 1.9600}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        assert_true(fabs(rein_student_t_975(known[i].degrees) - known[i].value) < 1e-4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_of), cmocka_unit_test(test_t)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
