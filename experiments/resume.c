/* rein resume RUN [key=value ...] */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "experiments/command.h"
#include "experiments/training.h"

static int help(void)
{
    printf("usage: rein resume RUN [key=value ...]\n"
           "\n"
           "Go on with the run in the folder RUN from its last checkpoint, or from its start when\n"
           "there is none. The end is the same, to the last bit, as if it had never stopped.\n"
           "\n"
           "Only these keys can be changed:\n"
           "  run.total_timesteps=N  train longer, a finished run, too. Schedules that depend on\n"
           "                         the total (a learning rate falling to 0) follow the new one;\n"
           "                         a smaller one ends the run where it is\n"
           "  run.threads=N          the result does not depend on it\n"
           "  log.*                  but log.rollouts: what is recorded stays the same\n");
    return REIN_EXIT_OK;
}

/* May a run in progress get another value of this "section.key=value"? */
static rein_status check_override(const char *assignment)
{
    size_t n = strcspn(assignment, "=");
    bool log = strncmp(assignment, "log.", 4) == 0;
    if (log && (n != 12 || strncmp(assignment, "log.rollouts", n) != 0)) return REIN_OK;
    if (n == 19 && strncmp(assignment, "run.total_timesteps", n) == 0) return REIN_OK;
    if (n == 11 && strncmp(assignment, "run.threads", n) == 0) return REIN_OK;
    return rein_fail(REIN_ECONFIG,
                     "%s: a run in progress keeps its settings, but for "
                     "run.total_timesteps, run.threads and log.* (not log.rollouts): train a new "
                     "run for others",
                     assignment);
}

/* net.script as it was when the run began: the folder's copy, whatever became of the file. */
static rein_status use_own_script(const rein_run_folder *folder, rein_settings *settings)
{
    static const char key[] = "net.script=";
    char assignment[sizeof key + REIN_PATH_SIZE + 16] = "net.script=", *path = assignment;
    path += sizeof key - 1;
    rein_run_folder_path(folder, REIN_RUN_SCRIPT, path, REIN_PATH_SIZE + 16);
    if (!rein_file_exists(path)) return REIN_OK;
    return rein_settings_override(settings, assignment);
}

static rein_status read_experiment(const rein_run_folder *folder, int n, char **words,
                                   rein_experiment **out)
{
    char path[REIN_PATH_SIZE + 16];
    rein_settings *settings;
    rein_run_folder_path(folder, "config.yaml", path, sizeof path);
    REIN_TRY(rein_settings_create(&settings));
    rein_status status = rein_settings_read(settings, path);
    for (int i = 0; i < n && status == REIN_OK; i++) {
        status = check_override(words[i]);
        if (status == REIN_OK) status = rein_settings_override(settings, words[i]);
    }
    if (status == REIN_OK) status = use_own_script(folder, settings);
    if (status == REIN_OK) status = rein_experiment_create(settings, out);
    rein_settings_free(settings);
    return status;
}

/* Say that there is nothing to do, when that is so. */
static bool is_finished(const rein_experiment *e, const rein_run_folder *folder,
                        rein_run_summary *summary)
{
    if (rein_run_folder_read_summary(folder, summary) != REIN_OK) return false;
    if (summary->steps < e->run.total_timesteps) return false;
    printf("%s is finished: %lld steps are done\n", folder->path, (long long)summary->steps);
    return true;
}

static int resume(const rein_experiment *e, rein_run_folder *folder, int argc, char **argv)
{
    rein_run_summary summary;
    if (is_finished(e, folder, &summary)) {
        rein_training_print_summary(e, folder, &summary);
        rein_run_folder_close(folder);
        return REIN_EXIT_OK;
    }
    rein_training_catch_signals();
    return rein_training_run(e, folder, true, argc, argv);
}

int rein_cmd_resume(int argc, char **argv)
{
    static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {0}};
    rein_experiment *experiment;
    rein_run_folder folder;
    for (int option; (option = rein_command_option(argc, argv, options)) != -1;) {
        if (option == 'h') return help();
        return REIN_EXIT_USAGE;
    }
    if (optind == argc) return rein_command_usage("resume ", "resume: which run folder?");
    rein_status status = rein_run_folder_open(argv[optind], &folder);
    if (status != REIN_OK) return rein_command_fail(status);
    status = read_experiment(&folder, argc - optind - 1, argv + optind + 1, &experiment);
    if (status != REIN_OK) {
        int code = rein_command_fail(status);
        rein_run_folder_close(&folder);
        return code;
    }
    int code = resume(experiment, &folder, argc, argv);
    rein_experiment_free(experiment);
    return code;
}
