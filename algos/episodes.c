#include "algos/episodes.h"

#include <math.h>
#include <stdbool.h>

void rein_episodes_push(rein_episodes *episodes, double episode_return, int64_t length)
{
    int64_t slot = episodes->count % REIN_EPISODES_WINDOW;
    episodes->returns[slot] = episode_return;
    episodes->lengths[slot] = length;
    episodes->return_sum += episode_return;
    episodes->count++;
}

static int episodes_in_window(const rein_episodes *episodes)
{
    int64_t count = episodes->count;
    return (int)(count < REIN_EPISODES_WINDOW ? count : REIN_EPISODES_WINDOW);
}

double rein_episodes_return_mean(const rein_episodes *episodes)
{
    int n = episodes_in_window(episodes);
    double sum = 0;
    for (int i = 0; i < n; i++) sum += episodes->returns[i];
    return n > 0 ? sum / n : NAN;
}

double rein_episodes_length_mean(const rein_episodes *episodes)
{
    int n = episodes_in_window(episodes);
    int64_t sum = 0;
    for (int i = 0; i < n; i++) sum += episodes->lengths[i];
    return n > 0 ? (double)sum / n : NAN;
}

rein_status rein_episodes_archive(rein_episodes *episodes, rein_archive *archive)
{
    REIN_TRY(rein_archive_i64(archive, "count", &episodes->count));
    REIN_TRY(rein_archive_i64(archive, "broken", &episodes->broken));
    REIN_TRY(rein_archive_f64(archive, "return_sum", &episodes->return_sum));
    REIN_TRY(
        rein_archive_array(archive, "returns", REIN_F64, episodes->returns, REIN_EPISODES_WINDOW));
    REIN_TRY(
        rein_archive_array(archive, "lengths", REIN_I64, episodes->lengths, REIN_EPISODES_WINDOW));
    bool sound = 0 <= episodes->count && episodes->count < INT64_C(1) << 53 &&
                 0 <= episodes->broken && episodes->broken <= episodes->count;
    for (int i = 0; i < REIN_EPISODES_WINDOW; i++) {
        sound &= 0 <= episodes->lengths[i] && episodes->lengths[i] < INT64_C(1) << 53;
    }
    if (!sound) { /* would become an index, or overflow */
        *episodes = (rein_episodes){0};
        return rein_fail(REIN_EFORMAT, "the saved episode statistics are damaged");
    }
    return REIN_OK;
}
