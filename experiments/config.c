/* rein config [ALGO|ENV|env|algo|net|run|log] [--markdown] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "envs/registry.h"
#include "experiments/command.h"
#include "experiments/experiment.h"
#include "experiments/table.h"

static int help(void)
{
    printf("usage: rein config [NAME] [--markdown]\n"
           "\n"
           "Print the keys of a config file with type, default, range and meaning. NAME is an\n"
           "algorithm (ppo), an environment (CartPole-v1) or a section (env, algo, net, run,\n"
           "log); without it, everything.\n"
           "\n"
           "  --markdown  tables as in docs/config.md\n");
    return REIN_EXIT_OK;
}

static void print_title(const char *title, const char *text, bool markdown)
{
    printf(markdown ? "## %s\n\n%s\n\n" : "%s: %s\n", title, text);
    if (markdown) rein_table_print_head(stdout);
}

static rein_status print_section(const char *section, const char *text, bool markdown)
{
    int n;
    const rein_field *fields = rein_section_fields(section, &n);
    size_t size = 1;
    for (int i = 0; i < n; i++) { /* the largest member is a list or a text */
        size_t end = fields[i].offset + sizeof(rein_list) + REIN_TEXT_SIZE;
        if (end > size) size = end;
    }
    void *config = calloc(1, size);
    if (!config) return rein_fail(REIN_ENOMEM, "no memory");
    rein_status status = rein_fields_defaults(fields, n, config);
    if (status == REIN_OK) {
        print_title(section, text, markdown);
        rein_table_print(stdout, section, fields, n, config, markdown);
    }
    free(config);
    printf("\n");
    return status;
}

static rein_status print_env(const rein_env_class *env, bool markdown)
{
    void *config = calloc(1, env->config_size + 1);
    if (!config) return rein_fail(REIN_ENOMEM, "no memory");
    rein_status status = rein_env_defaults(env, config);
    if (status == REIN_OK && env->n_fields > 0) {
        print_title(env->id, env->summary, markdown);
        rein_table_print(stdout, "env", env->fields, env->n_fields, config, markdown);
        printf("\n");
    } else if (status == REIN_OK) {
        printf(markdown ? "## %s\n\n%s\n\nNo settings of its own.\n\n"
                        : "%s: %s\n  no settings of its own\n\n",
               env->id, env->summary);
    }
    free(config);
    return status;
}

static rein_status print_algo(const rein_algo *algo, bool markdown)
{
    void *config = calloc(1, algo->config_size + 1);
    if (!config) return rein_fail(REIN_ENOMEM, "no memory");
    rein_status status = rein_fields_defaults(algo->fields, algo->n_fields, config);
    if (status == REIN_OK) {
        print_title(algo->id, algo->summary, markdown);
        rein_table_print(stdout, "algo", algo->fields, algo->n_fields, config, markdown);
        printf("\n");
    }
    free(config);
    return status;
}

static const struct {
    const char *name, *text;
} sections[] = {
    {"env", "what to learn; each environment has settings of its own"},
    {"algo", "how to learn; each algorithm has settings of its own"},
    {"net", "the networks"},
    {"run", "how long, which seed, where"},
    {"log", "what is kept"},
};
enum { N_SECTIONS = sizeof sections / sizeof sections[0] };

static rein_status print_all(bool markdown)
{
    for (int i = 0; i < N_SECTIONS; i++) {
        REIN_TRY(print_section(sections[i].name, sections[i].text, markdown));
    }
    for (int i = 0; rein_algo_at(i); i++) REIN_TRY(print_algo(rein_algo_at(i), markdown));
    for (int i = 0; rein_env_at(i); i++) REIN_TRY(print_env(rein_env_at(i), markdown));
    return REIN_OK;
}

static rein_status print_one(const char *name, bool markdown)
{
    const rein_algo *algo;
    const rein_env_class *env;
    for (int i = 0; i < N_SECTIONS; i++) {
        if (strcmp(name, sections[i].name) == 0) {
            return print_section(name, sections[i].text, markdown);
        }
    }
    if (rein_algo_find(name, &algo) == REIN_OK) return print_algo(algo, markdown);
    if (rein_env_find(name, &env) == REIN_OK) return print_env(env, markdown);
    return rein_fail(REIN_ENOTFOUND,
                     "config: %s is no section, algorithm or environment; as an "
                     "environment: %s",
                     name, rein_error_message());
}

int rein_cmd_config(int argc, char **argv)
{
    static const struct option options[] = {
        {"help", no_argument, NULL, 'h'}, {"markdown", no_argument, NULL, 'm'}, {0}};
    bool markdown = false;
    for (int option; (option = rein_command_option(argc, argv, options)) != -1;) {
        if (option == 'h') return help();
        if (option != 'm') return REIN_EXIT_USAGE;
        markdown = true;
    }
    if (argc - optind > 1) return rein_command_usage("config ", "config: one NAME at most");
    rein_status status = optind == argc ? print_all(markdown) : print_one(argv[optind], markdown);
    return status == REIN_OK ? REIN_EXIT_OK : rein_command_fail(status);
}
