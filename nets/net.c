#include "nets/net.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>

#include "nets/engine.h"
#include "nets/gemm.h"

/* In the order in which `auto` asks them. */
static const rein_engine *const engines[] = {
    [REIN_ENGINE_AUTO] = NULL,
    [REIN_ENGINE_NATIVE] = &rein_engine_native,
    [REIN_ENGINE_TORCH] = &rein_engine_torch,
};
enum { N_ENGINES = sizeof engines / sizeof engines[0] };

const rein_engine *rein_engine_at(rein_engine_choice choice)
{
    if (choice == REIN_ENGINE_AUTO) choice = REIN_ENGINE_NATIVE;
    return (int)choice > 0 && (int)choice < N_ENGINES ? engines[choice] : NULL;
}

/* The engine for a spec whose layout is right. The message of `auto` is that of the last engine. */
static rein_status choose(const rein_net_spec *spec, const rein_engine **out)
{
    *out = NULL;
    if ((int)spec->engine < REIN_ENGINE_AUTO || spec->engine > REIN_ENGINE_TORCH) {
        return rein_fail(REIN_EINVAL, "engine %d is not one of " REIN_ENGINE_WORDS,
                         (int)spec->engine);
    }
    rein_status status = REIN_OK;
    for (int i = 0; i < N_ENGINES && !*out; i++) {
        bool asked = spec->engine == REIN_ENGINE_AUTO || (int)spec->engine == i;
        if (!engines[i] || !asked) continue;
        status = engines[i]->can_run(spec);
        if (status == REIN_OK) *out = engines[i];
    }
    return *out ? REIN_OK : status;
}

rein_status rein_net_check(const rein_net_spec *spec)
{
    rein_layout layout;
    const rein_engine *engine;
    REIN_TRY(rein_net_layout(spec, &layout));
    return choose(spec, &engine);
}

rein_status rein_net_create(const rein_net_spec *spec, rein_net **out)
{
    *out = NULL;
    rein_layout layout;
    const rein_engine *engine;
    rein_net *net;
    REIN_TRY(rein_net_layout(spec, &layout));
    REIN_TRY(choose(spec, &engine));
    REIN_TRY(engine->create(spec, &layout, &net));
    net->engine = engine;
    net->spec = *spec;
    net->layout = layout;
    *out = net;
    return REIN_OK;
}

void rein_net_free(rein_net *net)
{
    if (net) net->engine->free(net);
}

const rein_net_spec *rein_net_get_spec(const rein_net *net)
{
    return &net->spec;
}

const char *rein_net_engine(const rein_net *net)
{
    return net->engine->name;
}

int rein_net_n_in(const rein_net *net)
{
    return net->layout.n_in;
}

int rein_net_n_out(const rein_net *net)
{
    return net->layout.n_out;
}

size_t rein_net_n_params(const rein_net *net)
{
    return net->layout.n_params;
}

size_t rein_net_n_packed(const rein_net *net)
{
    return net->n_packed;
}

void rein_net_pack(const rein_net *net, const float *params, float *packed)
{
    net->engine->pack(net, params, packed);
}

rein_status rein_net_workspace_create(const rein_net *net, int max_rows, rein_net_workspace **out)
{
    *out = NULL;
    if (max_rows < 1) return rein_fail(REIN_EINVAL, "a workspace for %d rows", max_rows);
    REIN_TRY(net->engine->workspace_create(net, max_rows, out));
    (*out)->engine = net->engine;
    return REIN_OK;
}

void rein_net_workspace_free(rein_net_workspace *workspace)
{
    if (workspace) workspace->engine->workspace_free(workspace);
}

rein_status rein_net_forward(const rein_net *net, const float *params, const float *packed,
                             rein_net_workspace *workspace, const float *x, int n, float *y)
{
    return net->engine->forward(net, params, packed, workspace, x, n, y);
}

rein_status rein_net_backward(const rein_net *net, const float *params, const float *packed,
                              rein_net_workspace *workspace, const float *dy, float *grad,
                              float *dx)
{
    return net->engine->backward(net, params, packed, workspace, dy, grad, dx);
}

void rein_net_products(const rein_net *net, const float *params, const float *packed,
                       rein_net_workspace *workspace, const float *x, int n, float *y, float *grad)
{
    if (!net->engine->products) return;
    net->engine->products(net, params, packed, workspace, x, n, y, grad);
}

static char kernels[128];
static pthread_once_t kernels_once = PTHREAD_ONCE_INIT;

static void kernels_find(void)
{
    snprintf(kernels, sizeof kernels, "%s, libmvec", rein_gemm_library());
}

const char *rein_net_kernels(void)
{
    pthread_once(&kernels_once, kernels_find);
    return kernels;
}
