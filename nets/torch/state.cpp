// Dictionaries of tensors in files.
#include "nets/torch/archive.hpp"

#include <torch/serialize.h>

using namespace rein;

rein_status rein_torch_state_save(const char *path, const char *const *names,
                                  rein_tensor *const *tensors, int n)
{
    return guard_file(__func__, [&] {
        NEED(path);
        NEED(names);
        auto list = list_of(NEED(tensors), n, "tensors");
        c10::impl::GenericDict state(c10::StringType::get(), c10::TensorType::get());
        for (int i = 0; i < n; i++) {
            if (!names[i] || !names[i][0]) refuse(REIN_EINVAL, "names[%d] is empty", i);
            if (!state.insert(std::string(names[i]), list[static_cast<size_t>(i)].detach())
                     .second) {
                refuse(REIN_EINVAL, "names[%d] '%s' is there already", i, names[i]);
            }
        }
        auto bytes = torch::pickle_save(state);
        write_file(path, std::string(bytes.begin(), bytes.end()));
    });
}

rein_status rein_torch_state_load(const char *path, const char *const *names, int n,
                                  rein_tensor **tensors)
{
    return guard(__func__, [&] {
        NEED(path);
        NEED(names);
        NEED(tensors);
        std::string bytes = read_archive(path);
        auto value = reading(path, [&] {
            return torch::pickle_load(std::vector<char>(bytes.begin(), bytes.end()));
        });
        if (!value.isGenericDict()) refuse(REIN_EFORMAT, "%s holds no dictionary", path);
        auto state = value.toGenericDict();
        std::vector<handle> handles;
        for (int i = 0; i < n; i++) {
            auto found = state.find(std::string(need(names[i], "a name")));
            if (found == state.end() || !found->value().isTensor()) {
                refuse(REIN_EFORMAT, "%s holds no tensor '%s'", path, names[i]);
            }
            handles.push_back(wrap(found->value().toTensor().cpu()));
        }
        for (size_t i = 0; i < handles.size(); i++) tensors[i] = handles[i].release();
    });
}
