/* rein envs [ID] */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "envs/registry.h"
#include "experiments/command.h"
#include "experiments/experiment.h"
#include "experiments/progress.h"
#include "experiments/table.h"

static int help(void)
{
    printf("usage: rein envs [ID]\n"
           "\n"
           "List the environments, or describe one: spaces, time limit, source, settings.\n");
    return REIN_EXIT_OK;
}

static void print_observation(const rein_observation_space *o)
{
    printf("observation  %s [", o->dtype == REIN_U8 ? "u8" : "f32");
    for (int i = 0; i < o->n_dims; i++) printf("%s%d", i ? ", " : "", o->shape[i]);
    printf("]");
    if (isfinite(o->low) && isfinite(o->high)) printf(" in [%g, %g]", o->low, o->high);
    printf("\n");
}

static void print_action(const rein_action_space *a)
{
    if (a->kind == REIN_DISCRETE) {
        printf("action       discrete, %d\n", a->n);
        return;
    }
    printf("action       continuous [%d] in [%g, %g]", a->size, a->low[0], a->high[0]);
    for (int i = 1; i < a->size; i++) {
        if (a->low[i] != a->low[0] || a->high[i] != a->high[0]) {
            printf(" (first; others differ)");
            break;
        }
    }
    printf("\n");
}

static rein_status describe(const rein_env_class *env, void *config)
{
    rein_env_spec spec;
    char text[32];
    REIN_TRY(rein_env_defaults(env, config));
    REIN_TRY(env->spec(config, &spec));
    printf("%s: %s\n%s\n\n", env->id, env->summary, env->cite);
    print_observation(&spec.observation);
    print_action(&spec.action);
    if (spec.n_agents > 1) printf("agents       %d\n", spec.n_agents);
    if (spec.max_episode_steps > 0) {
        printf("time limit   %s steps\n",
               rein_format_count(spec.max_episode_steps, text, sizeof text));
    }
    if (isfinite(spec.reward_threshold)) printf("solved at    %g\n", spec.reward_threshold);
    if (env->n_fields > 0) {
        printf("\nsettings (those of all environments: rein config env)\n");
        rein_table_print(stdout, "env", env->fields, env->n_fields, config, false);
    }
    return REIN_OK;
}

int rein_cmd_envs(int argc, char **argv)
{
    static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {0}};
    for (int option; (option = rein_command_option(argc, argv, options)) != -1;) {
        if (option == 'h') return help();
        return REIN_EXIT_USAGE;
    }
    if (argc - optind > 1) return rein_command_usage("envs ", "envs: one ID at most");
    if (optind == argc) {
        for (int i = 0; rein_env_at(i); i++) {
            printf("%-28s %s\n", rein_env_at(i)->id, rein_env_at(i)->summary);
        }
        return REIN_EXIT_OK;
    }
    const rein_env_class *env;
    rein_status status = rein_env_find(argv[optind], &env);
    if (status == REIN_OK) {
        void *config = calloc(1, env->config_size + 1);
        status = config ? describe(env, config) : rein_fail(REIN_ENOMEM, "no memory");
        free(config);
    }
    return status == REIN_OK ? REIN_EXIT_OK : rein_command_fail(status);
}
