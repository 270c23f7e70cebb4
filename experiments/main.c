/* rein: dispatch to the sub-commands, one file each. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/field.h"
#include "envs/mujoco/classes.h"
#include "experiments/command.h"
#include "nets/net.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} commands[] = {
    {"train", rein_cmd_train, "train an agent from a config"},
    {"resume", rein_cmd_resume, "go on with a run that was stopped, or make it longer"},
    {"eval", rein_cmd_eval, "play episodes with a trained policy"},
    {"envs", rein_cmd_envs, "list or describe environments"},
    {"algos", rein_cmd_algos, "list or describe algorithms"},
    {"config", rein_cmd_config, "all keys of a config file"},
    {"check", rein_cmd_check, "check an environment, or the files of a run"},
    {"bench", rein_cmd_bench, "measure rates beside the machine's own limits"},
};
enum { N_COMMANDS = sizeof commands / sizeof commands[0] };

static int help(void)
{
    printf("usage: rein COMMAND ...\n\nReinforcement learning in C17.\n\n");
    for (int i = 0; i < N_COMMANDS; i++) {
        printf("  %-8s %s\n", commands[i].name, commands[i].summary);
    }
    printf("\n`rein COMMAND --help` has more; `rein --version`.\n"
           "Begin with: rein train ppo/cartpole\n");
    return REIN_EXIT_OK;
}

static int version(void)
{
    printf("rein %s\nMuJoCo %s\nkernels %s\n", REIN_VERSION, rein_mujoco_version(),
           rein_net_kernels());
    return REIN_EXIT_OK;
}

static int unknown(const char *word)
{
    const char *nearest = NULL;
    int best = 4;
    for (int i = 0; i < N_COMMANDS; i++) {
        int distance = rein_edit_distance(word, commands[i].name);
        if (distance < best) {
            best = distance;
            nearest = commands[i].name;
        }
    }
    if (!nearest) return rein_command_usage("", "unknown command %s", word);
    return rein_command_usage("", "unknown command %s, did you mean %s?", word, nearest);
}

int main(int argc, char **argv)
{
    /* a full disk or a file size limit is an error of write(), which has a message */
    signal(SIGXFSZ, SIG_IGN);
    if (argc < 2)
        return rein_command_usage("", "which command? For example: rein train "
                                      "ppo/cartpole");
    const char *word = argv[1];
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) return version();
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
        return help();
    }
    for (int i = 0; i < N_COMMANDS; i++) {
        if (strcmp(word, commands[i].name) == 0) return commands[i].run(argc - 1, argv + 1);
    }
    return unknown(word);
}
