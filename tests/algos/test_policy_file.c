/* policy.rein: round trips, and every kind of damage ends in one clear message. */
#include "tests/algos/policies.h"
#include "tests/folder.h"

#include "base/file.h"
#include "replay/store.h"

static char path[256];

static int setup(void **state)
{
    folder_setup(state);
    snprintf(path, sizeof path, "%s/policy.rein", folder);
    return 0;
}

/* Refused with this status; the message is one line that names the file and holds `says`. */
static void check_refused(rein_status status, const char *says)
{
    rein_policy *policy = (rein_policy *)folder; /* anything but NULL */
    rein_status got = rein_policy_load(path, &policy);
    if (got != status) {
        fail_msg("status %s, not %s: %s", rein_status_name(got), rein_status_name(status),
                 got == REIN_OK ? "it was loaded" : rein_error_message());
    }
    assert_null(policy);
    const char *message = rein_error_message();
    if (!strstr(message, path) || !strstr(message, says) || strchr(message, '\n')) {
        fail_msg("unclear message: %s", message);
    }
}

static void check_same(const rein_policy *a, const rein_policy *b)
{
    size_t n = (size_t)a->spec.observation.size;
    assert_memory_equal(&a->spec, &b->spec, sizeof a->spec);
    assert_int_equal(a->n_params, b->n_params);
    assert_memory_equal(a->params, b->params, a->n_params * sizeof(float));
    assert_memory_equal(a->mean, b->mean, n * sizeof(double));
    assert_memory_equal(a->var, b->var, n * sizeof(double));
    for (int i = 0; a->spec.head == REIN_HEAD_GAUSSIAN && i < a->spec.action.size; i++) {
        assert_true(a->log_std[i] == b->log_std[i]);
    }
    assert_true(a->epsilon == b->epsilon);
    assert_int_equal(a->timesteps, b->timesteps);
}

static void check_same_actions(const rein_policy *a, const rein_policy *b)
{
    enum { ROWS = 20 };
    float observation[ROWS * 16], first[ROWS * 2] = {0}, second[ROWS * 2] = {0};
    rein_policy_workspace *wa, *wb;
    policy_observations(a, ROWS, observation);
    assert_ok(rein_policy_workspace_create(a, ROWS, &wa));
    assert_ok(rein_policy_workspace_create(b, ROWS, &wb));
    for (int sample = 0; sample < 2; sample++) {
        rein_rng ra = rein_rng_stream(3, REIN_RNG_TEST, 0, 0), rb = ra;
        assert_ok(rein_policy_act(a, wa, observation, ROWS, sample ? &ra : NULL, first));
        assert_ok(rein_policy_act(b, wb, observation, ROWS, sample ? &rb : NULL, second));
        assert_memory_equal(first, second, sizeof first);
    }
    rein_policy_workspace_free(wa);
    rein_policy_workspace_free(wb);
}

static void test_round_trip(void **state)
{
    (void)state;
    for (int kind = 0; kind <= POLICY_CELL; kind++) {
        rein_policy *policy = policy_of(kind), *loaded;
        size_t first_size, second_size;
        assert_ok(rein_policy_save(policy, path));
        char *first = temporary_bytes(folder, "policy.rein", &first_size);
        assert_ok(rein_policy_load(path, &loaded));
        check_same(policy, loaded);
        check_same_actions(policy, loaded);
        assert_ok(rein_policy_save(loaded, path)); /* over the old one, and the same bytes */
        char *second = temporary_bytes(folder, "policy.rein", &second_size);
        assert_int_equal(first_size, second_size);
        assert_memory_equal(first, second, first_size);
        free(first);
        free(second);
        rein_policy_free(policy);
        rein_policy_free(loaded);
    }
    assert_int_equal(temporary_count(folder, "."), 1); /* no temporary file is left */
}

/* A network of every kind of layer that has parameters, on u8 images. */
static void test_layers(void **state)
{
    (void)state;
    rein_policy_spec spec = policy_spec_of(POLICY_IMAGE);
    rein_policy *policy, *loaded;
    spec.net = (rein_net_spec){.n_dims = 3, .shape = {3, 2, 2}, .input_scale = 10};
    assert_ok(rein_layers_parse("embedding 11 2, conv 4 2x1, relu, flatten, layernorm, linear 3",
                                &spec.net));
    assert_ok(rein_policy_create(&spec, &policy));
    rein_rng rng = rein_rng_stream(7, REIN_RNG_TEST, 0, 0);
    assert_ok(rein_net_init(policy->net, REIN_INIT_TORCH, 1, 1, &rng, policy->params));
    rein_policy_pack(policy);
    assert_ok(rein_policy_save(policy, path));
    assert_ok(rein_policy_load(path, &loaded));
    check_same(policy, loaded);
    check_same_actions(policy, loaded);
    rein_policy_free(policy);
    rein_policy_free(loaded);
}

static void test_damage(void **state)
{
    (void)state;
    rein_policy *policy = policy_of(POLICY_GAUSSIAN);
    assert_ok(rein_policy_save(policy, path));
    size_t size;
    char *data = temporary_bytes(folder, "policy.rein", &size);
    for (size_t cut = 0; cut < size; cut += 1 + size / 97) {
        temporary_write(folder, "policy.rein", data, cut);
        check_refused(REIN_EFORMAT, "");
    }
    for (size_t at = 0; at < size; at += 1 + size / 211) {
        data[at] ^= (char)(1 << at % 8);
        temporary_write(folder, "policy.rein", data, size);
        check_refused(REIN_EFORMAT, "");
        data[at] ^= (char)(1 << at % 8);
    }
    temporary_write(folder, "policy.rein", data, size);
    rein_policy *loaded;
    assert_ok(rein_policy_load(path, &loaded)); /* what was not damaged */
    rein_policy_free(loaded);
    unlink(path);
    check_refused(REIN_ENOTFOUND, "");
    free(data);
    rein_policy_free(policy);
}

static void test_foreign(void **state)
{
    (void)state;
    const char text[] = "not a policy";
    temporary_write(folder, "policy.rein", text, sizeof text);
    check_refused(REIN_EFORMAT, "");
    assert_ok(rein_file_write(path, text, sizeof text, true));
    check_refused(REIN_EFORMAT, "");
    rein_store *store;
    assert_ok(rein_store_create(&store));
    float numbers[3] = {1, 2, 3};
    assert_ok(rein_store_put(store, "net/params", REIN_F32, 1, (int64_t[]){3}, numbers, false));
    assert_ok(rein_store_save(store, path));
    rein_store_free(store);
    check_refused(REIN_EFORMAT, "another kind of file");
    rein_policy *policy;
    assert_fails(rein_policy_load(folder, &policy), REIN_EIO, folder);
}

/* --- files that are sealed and well formed, but say something else -------------------------------
 */

/* One change to a copy of a good file. */
typedef struct change {
    const char *array;     /* left out, unless `values` are put instead */
    const char *attribute; /* "group attribute": left out, unless text or number is put */
    const char *text;
    double number;
    double values[4];
    int n;
} change;

static bool is_changed(const char *name, const char *attribute, const change *c)
{
    char both[128];
    if (!c->attribute) return false;
    snprintf(both, sizeof both, "%s %s", name, attribute);
    return strcmp(both, c->attribute) == 0;
}

static void copy_text(rein_store *from, rein_store *to, const char *name, const char *attribute,
                      const change *c)
{
    char text[64];
    bool changed = is_changed(name, attribute, c);
    if (changed && !c->text) return;
    assert_ok(rein_store_get_text(from, name, attribute, text, sizeof text));
    assert_ok(rein_store_put_text(to, name, attribute, changed ? c->text : text));
}

static void copy_number(rein_store *from, rein_store *to, const char *name, const char *attribute,
                        const change *c)
{
    double number;
    bool changed = is_changed(name, attribute, c);
    if (changed && c->text) return;
    assert_ok(rein_store_get_number(from, name, attribute, &number));
    assert_ok(rein_store_put_number(to, name, attribute, changed ? c->number : number));
}

static void copy_array(rein_store *from, rein_store *to, const char *name, const change *c)
{
    rein_dtype type;
    int n_dims;
    int64_t dims[REIN_STORE_DIMS], n = 1;
    if (c->array && strcmp(name, c->array) == 0) {
        int64_t length = c->n;
        char other[64];
        snprintf(other, sizeof other, "%s of another name", name); /* its group stays */
        if (length == 0) {
            assert_ok(rein_store_put(to, other, REIN_F64, 1, &length, c->values, false));
            return;
        }
        assert_ok(rein_store_put(to, name, REIN_F64, 1, &length, c->values, false));
        return;
    }
    assert_ok(rein_store_shape(from, name, &type, &n_dims, dims));
    for (int i = 0; i < n_dims; i++) n *= dims[i];
    void *data = malloc((size_t)n * 8 + 1);
    assert_ok(rein_store_get(from, name, type, data, (size_t)n));
    assert_ok(rein_store_put(to, name, type, n_dims, dims, data, false));
    free(data);
}

/* The file of a Gaussian policy, with or without a cell, with one change. */
static void write_changed_of(int kind, const change *c)
{
    rein_policy *policy = policy_of(kind);
    rein_store *from, *to;
    assert_ok(rein_policy_save(policy, path));
    rein_policy_free(policy);
    assert_ok(rein_store_open(path, &from));
    assert_ok(rein_store_create(&to));
    const char *const arrays[] = {"observation/shape", "action/low",     "action/high",
                                  "net/shape",         "net/params",     "head/log_std",
                                  "normalizer/mean",   "normalizer/var", "golden/observation",
                                  "golden/output"};
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++)
        copy_array(from, to, arrays[i], c);
    const char *const texts[][2] = {
        {"/", "format"}, {"/", "rein_version"},    {"/", "env_id"},    {"/", "algo_id"},
        {"/", "head"},   {"observation", "dtype"}, {"action", "kind"}, {"net", "layers"}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        copy_text(from, to, texts[i][0], texts[i][1], c);
    }
    const char *const numbers[][2] = {{"/", "format_version"}, {"/", "timesteps"},
                                      {"/", "epsilon"},        {"/", "normalize_observation"},
                                      {"observation", "low"},  {"observation", "high"},
                                      {"action", "n"},         {"action", "size"},
                                      {"net", "input_scale"},  {"normalizer", "clip"}};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        copy_number(from, to, numbers[i][0], numbers[i][1], c);
    }
    assert_ok(rein_store_save(to, path));
    rein_store_free(from);
    rein_store_free(to);
}

static void write_changed(const change *c)
{
    write_changed_of(POLICY_GAUSSIAN, c);
}

static void test_contradictions(void **state)
{
    (void)state;
    rein_policy *loaded;
    write_changed(&(change){0});
    assert_ok(rein_policy_load(path, &loaded)); /* the copy itself is good */
    rein_policy_free(loaded);
    const change changes[] = {
        {.array = "observation/shape"},
        {.array = "observation/shape", .values = {5, 2}, .n = 2},
        {.array = "observation/shape", .values = {-5}, .n = 1},
        {.array = "observation/shape", .values = {70000, 70000}, .n = 2},
        {.array = "observation/shape", .values = {1, 1, 1, 5}, .n = 4},
        {.array = "action/low"},
        {.array = "action/low", .values = {3, 3}, .n = 2},
        {.array = "action/low", .values = {NAN, 0}, .n = 2},
        {.array = "action/high", .values = {1}, .n = 1},
        {.array = "net/shape"},
        {.array = "net/shape", .values = {4}, .n = 1},
        {.array = "net/shape", .values = {5, 1}, .n = 2},
        {.array = "net/shape", .values = {-5}, .n = 1},
        {.array = "net/shape", .values = {1, 1, 1, 5}, .n = 4},
        {.array = "net/shape", .values = {2000000000, 2000000000}, .n = 2},
        {.array = "net/params"},
        {.array = "net/params", .values = {1, 2, 3, 4}, .n = 4},
        {.array = "head/log_std"},
        {.array = "normalizer/mean"},
        {.array = "normalizer/var", .values = {1}, .n = 1},
        {.array = "golden/observation"},
        {.array = "golden/output"},
        {.attribute = "/ format", .text = "rein checkpoint"},
        {.attribute = "/ env_id"},
        {.attribute = "/ head", .text = "tail"},
        {.attribute = "/ head", .text = "q"},
        {.attribute = "observation dtype", .text = "u8"},
        {.attribute = "observation dtype", .text = ""},
        {.attribute = "action kind", .text = "discrete"},
        {.attribute = "net layers", .text = ""},
        {.attribute = "net layers", .text = "tanh|relu"},
        {.attribute = "net layers", .text = "linear 16, tanh, linear 8, tanh, linear 3"},
        {.attribute = "net layers", .text = "linear 16, tanh, linear 8, tanh"},
        {.attribute = "net layers", .text = "linear 1000000, tanh, linear 8, tanh, linear 2"},
        {.attribute = "net layers", .text = "gru 16, tanh, linear 2"},
        {.attribute = "/ format_version", .number = 1},
        {.attribute = "/ format_version", .number = 3},
        {.attribute = "/ format_version", .number = NAN},
        {.attribute = "/ timesteps", .number = -1},
        {.attribute = "/ timesteps", .number = 1e300},
        {.attribute = "/ normalize_observation", .number = 2},
        {.attribute = "action size", .number = 1e9},
        {.attribute = "action size", .number = 2.5},
        {.attribute = "action n", .number = -INFINITY},
        {.attribute = "net input_scale", .number = -1},
        {.attribute = "net input_scale", .number = NAN},
        {.attribute = "normalizer clip", .number = -1},
        {.attribute = "normalizer clip", .number = NAN},
    };
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        write_changed(&changes[i]);
        check_refused(REIN_EFORMAT, "");
    }
}

/* A cell that does not fit the parameters, or that no one knows. */
static void test_cell_contradictions(void **state)
{
    (void)state;
    rein_policy *loaded;
    write_changed_of(POLICY_CELL, &(change){0});
    assert_ok(rein_policy_load(path, &loaded));
    rein_policy_free(loaded);
    const char *const layers[] = {
        "linear 16, tanh, linear 8, tanh, rnn 6, linear 2",
        "linear 16, tanh, linear 8, tanh, linear 2",
        "linear 16, tanh, linear 8, tanh, lstm 6, linear 2",
        "linear 16, tanh, linear 8, tanh, gru 7, linear 2",
        "linear 16, tanh, linear 8, tanh, gru 0, linear 2",
        "linear 16, tanh, linear 8, tanh, gru 65536, linear 2",
        "linear 16, tanh, linear 8, tanh, gru 1000000000000, linear 2",
        "linear 16, gru 6, linear 8, tanh, linear 2",
        "linear 16, tanh, linear 8, tanh, gru 6",
    };
    for (size_t i = 0; i < sizeof layers / sizeof layers[0]; i++) {
        write_changed_of(POLICY_CELL, &(change){.attribute = "net layers", .text = layers[i]});
        check_refused(REIN_EFORMAT, "");
    }
}

/* A file whose numbers act otherwise than when it was written. */
static void test_other_numbers(void **state)
{
    (void)state;
    write_changed(
        &(change){.attribute = "net layers", .text = "linear 16, relu, linear 8, relu, linear 2"});
    check_refused(REIN_EFORMAT, "computes something else");
    write_changed(&(change){.attribute = "normalizer clip", .number = 0.01});
    check_refused(REIN_EFORMAT, "computes something else");
    write_changed(
        &(change){.attribute = "net layers", .text = "linear 16, gelu, linear 8, tanh, linear 2"});
    check_refused(REIN_EFORMAT, "computes something else");
}

/* --- writing that fails --------------------------------------------------------------------------
 */

static void test_not_finite(void **state)
{
    (void)state;
    rein_policy *policy = policy_of(POLICY_Q), *loaded;
    assert_ok(rein_policy_save(policy, path));
    float good = policy->params[0];
    policy->params[0] = NAN;
    rein_policy_pack(policy);
    assert_fails(rein_policy_save(policy, path), REIN_ENAN, path);
    policy->params[0] = good;
    assert_ok(rein_policy_load(path, &loaded)); /* the old file is untouched */
    check_same(policy, loaded);
    rein_policy_free(loaded);
    rein_policy_free(policy);
}

static void test_unwritable(void **state)
{
    (void)state;
    rein_policy *policy = policy_of(POLICY_Q);
    char nowhere[300];
    snprintf(nowhere, sizeof nowhere, "%s/no/such/folder.rein", folder);
    assert_fails(rein_policy_save(policy, nowhere), REIN_EIO, nowhere);
    rein_policy_free(policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, setup, folder_teardown),
        cmocka_unit_test_setup_teardown(test_layers, setup, folder_teardown),
        cmocka_unit_test_setup_teardown(test_damage, setup, folder_teardown),
        cmocka_unit_test_setup_teardown(test_foreign, setup, folder_teardown),
        cmocka_unit_test_setup_teardown(test_contradictions, setup, folder_teardown),
        cmocka_unit_test_setup_teardown(test_cell_contradictions, setup, folder_teardown),
        cmocka_unit_test_setup_teardown(test_other_numbers, setup, folder_teardown),
        cmocka_unit_test_setup_teardown(test_not_finite, setup, folder_teardown),
        cmocka_unit_test_setup_teardown(test_unwritable, setup, folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
