/* Stands in for a librein_torch.so of another age: the three members that any program can read. */
#include "nets/torch/functions.h"

struct old_table {
    int abi;
    const char *version, *list;
};

const struct old_table *rein_torch_entry(const rein_torch_host *host);

const struct old_table *rein_torch_entry(const rein_torch_host *host)
{
    static const struct old_table table = {REIN_TORCH_ABI - YEARS, "0.0.9", "rein_tensor_zeros()"};
    (void)host;
    return &table;
}
