/* rein algos [ID] */
#include <stdio.h>
#include <stdlib.h>

#include "experiments/command.h"
#include "experiments/experiment.h"
#include "experiments/table.h"

static int help(void)
{
    printf("usage: rein algos [ID]\n"
           "\n"
           "List the learning algorithms, or describe one: source and settings.\n");
    return REIN_EXIT_OK;
}

static rein_status describe(const rein_algo *algo)
{
    void *config = calloc(1, algo->config_size + 1);
    if (!config) return rein_fail(REIN_ENOMEM, "no memory");
    rein_status status = rein_fields_defaults(algo->fields, algo->n_fields, config);
    if (status == REIN_OK) {
        printf("%s: %s\n%s\n\nsettings\n", algo->id, algo->summary, algo->cite);
        rein_table_print(stdout, "algo", algo->fields, algo->n_fields, config, false);
    }
    free(config);
    return status;
}

int rein_cmd_algos(int argc, char **argv)
{
    static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {0}};
    for (int option; (option = rein_command_option(argc, argv, options)) != -1;) {
        if (option == 'h') return help();
        return REIN_EXIT_USAGE;
    }
    if (argc - optind > 1) return rein_command_usage("algos ", "algos: one ID at most");
    if (optind == argc) {
        for (int i = 0; rein_algo_at(i); i++) {
            printf("%-8s %s\n", rein_algo_at(i)->id, rein_algo_at(i)->summary);
        }
        return REIN_EXIT_OK;
    }
    const rein_algo *algo;
    rein_status status = rein_algo_find(argv[optind], &algo);
    if (status == REIN_OK) status = describe(algo);
    return status == REIN_OK ? REIN_EXIT_OK : rein_command_fail(status);
}
