/* rein train CONFIG [key=value ...] */
#include <stdio.h>

#include "experiments/command.h"
#include "experiments/training.h"

static void print_name(const char *name, void *context)
{
    (void)context;
    printf("  %s\n", name);
}

static int help(void)
{
    printf("usage: rein train CONFIG [key=value ...]\n"
           "\n"
           "Train an agent. CONFIG is a YAML file, or the name of one of these configs:\n");
    rein_command_each_config(print_name, NULL);
    printf("(found in $REIN_CONFIGS, ./configs and ../configs beside the program)\n"
           "\n"
           "Any key can be set behind it, for example\n"
           "  run.seed=1                  another seed\n"
           "  run.total_timesteps=200000  how long\n"
           "  run.threads=2               default: all cores; the result is the same\n"
           "  run.name=mine run.out=runs  the run folder\n"
           "  log.rollouts=none           do not record transitions\n"
           "  algo.lr=1e-3 net.hidden='[256, 256]'\n"
           "`rein config` prints all keys with defaults and ranges.\n"
           "\n"
           "Ctrl-C stops with a checkpoint; `rein resume RUN` goes on, with the same result as\n"
           "if it had never stopped. Exit codes: 0 done, 1 failed, 2 wrong config, 130 stopped.\n");
    return REIN_EXIT_OK;
}

static rein_status read_experiment(int n, char **words, rein_experiment **out)
{
    char path[REIN_PATH_SIZE];
    rein_settings *settings;
    REIN_TRY(rein_command_find_config(words[0], path, sizeof path));
    REIN_TRY(rein_settings_create(&settings));
    rein_status status = rein_settings_read(settings, path);
    for (int i = 1; i < n && status == REIN_OK; i++) {
        status = rein_settings_override(settings, words[i]);
    }
    if (status == REIN_OK) status = rein_experiment_create(settings, out);
    rein_settings_free(settings);
    return status;
}

int rein_cmd_train(int argc, char **argv)
{
    static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {0}};
    rein_experiment *experiment;
    rein_run_folder folder;
    for (int option; (option = rein_command_option(argc, argv, options)) != -1;) {
        if (option == 'h') return help();
        return REIN_EXIT_USAGE;
    }
    if (optind == argc) {
        return rein_command_usage("train ", "train: which config? For example: rein train "
                                            "ppo/cartpole");
    }
    rein_status status = read_experiment(argc - optind, argv + optind, &experiment);
    if (status != REIN_OK) return rein_command_fail(status);
    rein_training_catch_signals();
    status = rein_run_folder_create(experiment, &folder);
    int code = status == REIN_OK ? rein_training_run(experiment, &folder, false, argc, argv)
                                 : rein_command_fail(status);
    rein_experiment_free(experiment);
    return code;
}
