#include "envs/grid/world.h"

#include <string.h>

/* The bytes of a cell are copied to images as they lie in memory. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "cells are little endian");

enum { VIEW = REIN_GRID_VIEW, PAD = REIN_GRID_PAD, HALF = VIEW / 2, VIEW_BITS = (1 << VIEW) - 1 };

/* Forward of each heading; the agent's right hand is (-y, x). */
static const int forward_x[4] = {1, 0, -1, 0}, forward_y[4] = {0, 1, 0, -1};

/* ---- the map ------------------------------------------------------------------------------- */

static inline int grid_stride(const rein_grid *grid)
{
    return grid->height + 2 * PAD;
}

static inline int grid_columns(const rein_grid *grid)
{
    return grid->width + 2 * PAD;
}

/* Index of (x, y) among the cells. */
static inline int grid_index(const rein_grid *grid, int x, int y)
{
    return (x + PAD) * grid_stride(grid) + y + PAD;
}

static inline int grid_n_words(const rein_grid *grid)
{
    return grid_stride(grid) + grid_columns(grid);
}

static inline rein_grid_cell *grid_cells(rein_grid *grid)
{
    return (rein_grid_cell *)(void *)(grid->memory + grid_n_words(grid));
}

static inline const rein_grid_cell *grid_cells_const(const rein_grid *grid)
{
    return (const rein_grid_cell *)(const void *)(grid->memory + grid_n_words(grid));
}

size_t rein_grid_size(int width, int height)
{
    size_t w = (size_t)(width + 2 * PAD), h = (size_t)(height + 2 * PAD);
    size_t bytes = sizeof(rein_grid) + sizeof(uint64_t) * (w + h) + sizeof(rein_grid_cell) * w * h;
    return (bytes + 7) & ~(size_t)7;
}

static inline bool type_is_one_of(rein_grid_cell cell, unsigned set)
{
    return (set >> rein_grid_cell_type(cell) & 1) != 0;
}

static bool cell_is_opaque(rein_grid_cell cell)
{
    if (rein_grid_cell_type(cell) == REIN_CELL_DOOR)
        return rein_grid_cell_state(cell) != REIN_DOOR_OPEN;
    return rein_grid_cell_type(cell) == REIN_CELL_WALL;
}

static bool cell_is_walkable(rein_grid_cell cell)
{
    const unsigned walkable =
        1u << REIN_CELL_EMPTY | 1u << REIN_CELL_FLOOR | 1u << REIN_CELL_GOAL | 1u << REIN_CELL_LAVA;
    if (rein_grid_cell_type(cell) == REIN_CELL_DOOR)
        return rein_grid_cell_state(cell) == REIN_DOOR_OPEN;
    return type_is_one_of(cell, walkable);
}

static bool cell_is_portable(rein_grid_cell cell)
{
    return type_is_one_of(cell, 1u << REIN_CELL_KEY | 1u << REIN_CELL_BALL | 1u << REIN_CELL_BOX);
}

void rein_grid_clear(rein_grid *grid)
{
    int n_rows = grid_stride(grid), n_columns = grid_columns(grid);
    uint64_t *opaque_row = grid->memory, *opaque_column = opaque_row + n_rows;
    rein_grid_cell *cells = grid_cells(grid);
    for (int i = 0; i < n_rows * n_columns; i++) cells[i] = REIN_CELL_PLAIN_WALL;
    for (int x = 1; x < grid->width - 1; x++) {
        rein_grid_cell *column = cells + grid_index(grid, x, 0);
        for (int y = 1; y < grid->height - 1; y++) column[y] = REIN_CELL_NOTHING;
    }
    uint64_t open_row = ((UINT64_C(1) << (grid->width - 2)) - 1) << (PAD + 1);
    uint64_t open_column = ((UINT64_C(1) << (grid->height - 2)) - 1) << (PAD + 1);
    memset(grid->memory, 0xff, sizeof(uint64_t) * (size_t)(n_rows + n_columns));
    for (int y = 1; y < grid->height - 1; y++) opaque_row[y + PAD] = ~open_row;
    for (int x = 1; x < grid->width - 1; x++) opaque_column[x + PAD] = ~open_column;
    grid->x = grid->y = 1;
    grid->heading = REIN_HEADING_RIGHT;
    grid->carrying = 0;
    grid->steps = 0;
}

rein_grid_cell rein_grid_get(const rein_grid *grid, int x, int y)
{
    return grid_cells_const(grid)[grid_index(grid, x, y)];
}

void rein_grid_put(rein_grid *grid, int x, int y, rein_grid_cell cell)
{
    uint64_t *row = grid->memory + y + PAD, bit_x = UINT64_C(1) << (x + PAD);
    uint64_t *column = grid->memory + grid_stride(grid) + x + PAD, bit_y = UINT64_C(1) << (y + PAD);
    bool opaque = cell_is_opaque(cell);
    *row = opaque ? *row | bit_x : *row & ~bit_x;
    *column = opaque ? *column | bit_y : *column & ~bit_y;
    grid_cells(grid)[grid_index(grid, x, y)] = cell;
}

void rein_grid_fill(rein_grid *grid, int x, int y, int w, int h, rein_grid_cell cell)
{
    for (int i = x; i < x + w; i++) {
        for (int j = y; j < y + h; j++) rein_grid_put(grid, i, j, cell);
    }
}

/* ---- placing ------------------------------------------------------------------------------- */

static bool grid_is_free(const rein_grid *grid, int x, int y)
{
    return rein_grid_get(grid, x, y) == REIN_CELL_NOTHING && (x != grid->x || y != grid->y);
}

/* MiniGrid draws places until one is free; counting the free ones first is the same distribution
 * and always ends. */
static bool grid_draw_place(const rein_grid *grid, rein_rng *rng, const int box[4], int place[2])
{
    int x0 = box[0] > 0 ? box[0] : 0, y0 = box[1] > 0 ? box[1] : 0;
    int x1 = box[0] + box[2] < grid->width ? box[0] + box[2] : grid->width;
    int y1 = box[1] + box[3] < grid->height ? box[1] + box[3] : grid->height;
    uint32_t n_free = 0;
    for (int x = x0; x < x1; x++) {
        for (int y = y0; y < y1; y++) n_free += grid_is_free(grid, x, y);
    }
    if (n_free == 0) return false;
    uint32_t left = rein_rng_below(rng, n_free);
    for (int x = x0; x < x1; x++) {
        for (int y = y0; y < y1; y++) {
            if (!grid_is_free(grid, x, y) || left-- > 0) continue;
            place[0] = x;
            place[1] = y;
            return true;
        }
    }
    return false;
}

bool rein_grid_place(rein_grid *grid, rein_rng *rng, int x, int y, int w, int h,
                     rein_grid_cell cell)
{
    int place[2];
    if (!grid_draw_place(grid, rng, (int[4]){x, y, w, h}, place)) return false;
    rein_grid_put(grid, place[0], place[1], cell);
    return true;
}

bool rein_grid_place_agent(rein_grid *grid, rein_rng *rng, int x, int y, int w, int h)
{
    int place[2], old_x = grid->x;
    grid->x = -1; /* its old place is free */
    if (!grid_draw_place(grid, rng, (int[4]){x, y, w, h}, place)) {
        grid->x = old_x;
        return false;
    }
    grid->x = place[0];
    grid->y = place[1];
    grid->heading = (int32_t)rein_rng_below(rng, 4);
    return true;
}

/* ---- acting -------------------------------------------------------------------------------- */

static void grid_toggle(rein_grid *grid, int x, int y, rein_grid_cell cell)
{
    if (rein_grid_cell_type(cell) == REIN_CELL_DOOR) {
        int colour = rein_grid_cell_colour(cell), state = rein_grid_cell_state(cell);
        bool has_key = grid->carrying == REIN_CELL(REIN_CELL_KEY, colour, 0);
        if (state == REIN_DOOR_LOCKED && !has_key) return;
        state = state == REIN_DOOR_OPEN ? REIN_DOOR_CLOSED : REIN_DOOR_OPEN;
        rein_grid_put(grid, x, y, REIN_CELL(REIN_CELL_DOOR, colour, state));
    }
    if (rein_grid_cell_type(cell) == REIN_CELL_BOX) {
        rein_grid_cell content = cell >> 24;
        rein_grid_put(grid, x, y,
                      content == 0 ? REIN_CELL_NOTHING : REIN_CELL(content & 0xf, content >> 4, 0));
    }
}

rein_grid_outcome rein_grid_act(rein_grid *grid, int action)
{
    int x = grid->x + forward_x[grid->heading], y = grid->y + forward_y[grid->heading];
    rein_grid_cell front = rein_grid_get(grid, x, y);
    grid->steps++;
    switch (action) {
    case REIN_GRID_LEFT:
        grid->heading = (grid->heading + 3) & 3;
        break;
    case REIN_GRID_RIGHT:
        grid->heading = (grid->heading + 1) & 3;
        break;
    case REIN_GRID_FORWARD:
        if (!cell_is_walkable(front)) break;
        grid->x = x;
        grid->y = y;
        if (rein_grid_cell_type(front) == REIN_CELL_GOAL) return REIN_GRID_REACHED_GOAL;
        if (rein_grid_cell_type(front) == REIN_CELL_LAVA) return REIN_GRID_IN_LAVA;
        break;
    case REIN_GRID_PICKUP:
        if (grid->carrying != 0 || !cell_is_portable(front)) break;
        grid->carrying = front;
        rein_grid_put(grid, x, y, REIN_CELL_NOTHING);
        break;
    case REIN_GRID_DROP:
        if (grid->carrying == 0 || front != REIN_CELL_NOTHING) break;
        rein_grid_put(grid, x, y, grid->carrying);
        grid->carrying = 0;
        break;
    case REIN_GRID_TOGGLE:
        grid_toggle(grid, x, y, front);
        break;
    default:
        break;
    }
    return REIN_GRID_GOES_ON;
}

/* ---- seeing -------------------------------------------------------------------------------- */

/* The shadow sweep, row by row away from the agent. Light spreads sideways from a lit cell over
 * cells that let it through and ends on the first that does not; every lit cell that lets it
 * through lights three cells of the next row. MiniGrid sweeps each row to the right, then to the
 * left, cell by cell; the lit sets are these.
 *   lit  out  [VIEW] rows of the view, the agent's row last; bit i is the i-th cell in the order
 *             of the map's coordinate, not of the view's */
static void grid_sweep(const rein_grid *grid, uint32_t lit[VIEW])
{
    int ahead_x = forward_x[grid->heading], ahead_y = forward_y[grid->heading];
    const uint64_t *line; /* the agent's own line across its heading */
    int step, shift;
    if (ahead_x != 0) {
        line = grid->memory + grid_stride(grid) + grid->x + PAD;
        step = ahead_x;
        shift = grid->y + PAD - HALF;
    } else {
        line = grid->memory + grid->y + PAD;
        step = ahead_y;
        shift = grid->x + PAD - HALF;
    }
    uint32_t row = 1u << HALF;
    for (int k = 0; k < VIEW; k++) {
        uint32_t clear = (uint32_t)(~line[k * step] >> shift) & VIEW_BITS, run = clear;
        uint32_t low = row & clear, high = low; /* spread in doubling steps: 1, 2, 4 cells */
        low |= run & low >> 1;
        high |= run & high << 1;
        uint32_t run_low = run & run >> 1, run_high = run & run << 1;
        low |= run_low & low >> 2;
        high |= run_high & high << 2;
        low |= run_low & run_low >> 2 & low >> 4;
        high |= run_high & run_high << 2 & high << 4;
        uint32_t through = low | high, next = through | through << 1 | through >> 1;
        lit[VIEW - 1 - k] = (row | next) & VIEW_BITS;
        row = next & VIEW_BITS;
    }
}

static inline void store_cell(uint8_t *at, rein_grid_cell cell)
{
    memcpy(at, &cell, 3);
}

void rein_grid_view(const rein_grid *grid, uint8_t *image)
{
    int ahead_x = forward_x[grid->heading], ahead_y = forward_y[grid->heading];
    int stride = grid_stride(grid);
    int ahead = ahead_x * stride + ahead_y, right = ahead_x - ahead_y * stride;
    const rein_grid_cell *corner = grid_cells_const(grid) + grid_index(grid, grid->x, grid->y) +
                                   (VIEW - 1) * ahead - HALF * right;
    uint32_t lit[VIEW] = {VIEW_BITS, VIEW_BITS, VIEW_BITS, VIEW_BITS,
                          VIEW_BITS, VIEW_BITS, VIEW_BITS};
    if (!grid->see_through_walls) grid_sweep(grid, lit);
    bool mirrored = right < 0; /* the view's x runs against the map's coordinate */
    for (int i = 0; i < VIEW; i++) {
        const rein_grid_cell *column = corner + i * right;
        int bit = mirrored ? VIEW - 1 - i : i;
        uint8_t *out = image + (size_t)i * VIEW * 3;
        for (int j = 0; j < VIEW; j++) {
            rein_grid_cell cell = column[-j * ahead] & (0u - (lit[j] >> bit & 1));
            if (i < VIEW - 1 || j < VIEW - 1) {
                memcpy(out + (size_t)j * 3, &cell, 4); /* the next cell repairs the fourth byte */
            } else {
                store_cell(out + (size_t)j * 3, cell);
            }
        }
    }
    store_cell(image + ((size_t)HALF * VIEW + VIEW - 1) * 3,
               grid->carrying != 0 ? grid->carrying : REIN_CELL_NOTHING);
}
