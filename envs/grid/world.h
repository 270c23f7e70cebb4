/* The MiniGrid world: a map of objects, one agent that turns, walks and handles things, and the
 * 7x7 view that it has of the map. Rules of MiniGrid 3.2.0 (Chevalier-Boisvert et al. 2023).
 *
 * A world is plain bytes: no pointers, copied with memcpy. Levels (envs/grid/level.h) build the
 * map; the rules here hold for every level. Coordinates: x to the right, y down, (0, 0) is the
 * upper left cell. Thread-safety: a world belongs to one thread. */
#ifndef REIN_ENVS_GRID_WORLD_H
#define REIN_ENVS_GRID_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rng.h"

/* MiniGrid's own numbers: they are what an image holds. */
enum rein_grid_cell_type {
    REIN_CELL_UNSEEN,
    REIN_CELL_EMPTY,
    REIN_CELL_WALL,
    REIN_CELL_FLOOR,
    REIN_CELL_DOOR,
    REIN_CELL_KEY,
    REIN_CELL_BALL,
    REIN_CELL_BOX,
    REIN_CELL_GOAL,
    REIN_CELL_LAVA,
    REIN_CELL_AGENT, /* in images of the whole map only; 10 is the largest number in an image */
};
enum rein_colour {
    REIN_RED,
    REIN_GREEN,
    REIN_BLUE,
    REIN_PURPLE,
    REIN_YELLOW,
    REIN_GREY,
    REIN_N_COLOURS,
};
enum rein_door_state { REIN_DOOR_OPEN, REIN_DOOR_CLOSED, REIN_DOOR_LOCKED };
enum rein_heading { REIN_HEADING_RIGHT, REIN_HEADING_DOWN, REIN_HEADING_LEFT, REIN_HEADING_UP };
enum rein_grid_action {
    REIN_GRID_LEFT,
    REIN_GRID_RIGHT,
    REIN_GRID_FORWARD,
    REIN_GRID_PICKUP,
    REIN_GRID_DROP,
    REIN_GRID_TOGGLE,
    REIN_GRID_DONE, /* does nothing */
    REIN_GRID_N_ACTIONS,
};

/* One cell: type | colour << 8 | state << 16 | content << 24. The low three bytes are the three
 * numbers of an image. Content (of a box) is type | colour << 4, 0: nothing. */
typedef uint32_t rein_grid_cell;

#define REIN_CELL(type, colour, state)                                                             \
    ((rein_grid_cell)(type) | (rein_grid_cell)(colour) << 8 | (rein_grid_cell)(state) << 16)
#define REIN_CELL_NOTHING    REIN_CELL(REIN_CELL_EMPTY, 0, 0)
#define REIN_CELL_PLAIN_WALL REIN_CELL(REIN_CELL_WALL, REIN_GREY, 0)
#define REIN_CELL_PLAIN_GOAL REIN_CELL(REIN_CELL_GOAL, REIN_GREEN, 0)
#define REIN_CELL_PLAIN_LAVA REIN_CELL(REIN_CELL_LAVA, REIN_RED, 0)

static inline int rein_grid_cell_type(rein_grid_cell cell)
{
    return (int)(cell & 0xff);
}
static inline int rein_grid_cell_colour(rein_grid_cell cell)
{
    return (int)(cell >> 8 & 0xff);
}
static inline int rein_grid_cell_state(rein_grid_cell cell)
{
    return (int)(cell >> 16 & 0xff);
}

/* A box with `content` (a key or ball; its state is 0) inside. */
static inline rein_grid_cell rein_grid_cell_box(int colour, rein_grid_cell content)
{
    rein_grid_cell packed = (rein_grid_cell)rein_grid_cell_type(content) | (content >> 8 & 0xf)
                                                                               << 4;
    return REIN_CELL(REIN_CELL_BOX, colour, 0) | packed << 24;
}

enum {
    REIN_GRID_VIEW = 7,                                    /* the view is VIEW x VIEW cells */
    REIN_GRID_IMAGE = REIN_GRID_VIEW * REIN_GRID_VIEW * 3, /* bytes of an image */
    REIN_GRID_PAD = REIN_GRID_VIEW - 1,          /* walls around the map: a view needs no bounds */
    REIN_GRID_MAX_SIDE = 64 - 2 * REIN_GRID_PAD, /* a padded line fits the bits of a word */
};

typedef struct rein_grid {
    int32_t width, height;
    int32_t x, y, heading;   /* of the agent; rein_heading */
    rein_grid_cell carrying; /* 0: nothing */
    int32_t steps;           /* taken in this episode */
    int32_t max_steps;       /* the T of the reward */
    bool see_through_walls;
    /* opaque_row [height + 2 PAD], bit x + PAD; opaque_column [width + 2 PAD], bit y + PAD: where
     * sight ends; then the cells [width + 2 PAD, height + 2 PAD], indexed [x][y] */
    uint64_t memory[];
} rein_grid;

/* Bytes of a world; width and height in [3, REIN_GRID_MAX_SIDE]. */
size_t rein_grid_size(int width, int height);

/* An empty room with walls around: width, height, max_steps and see_through_walls are set by the
 * caller; all else is reset here (agent at (1, 1) heading right, nothing carried, steps 0). */
void rein_grid_clear(rein_grid *grid);

/* The cell at (x, y), 0 <= x < width, 0 <= y < height (and PAD walls around). */
rein_grid_cell rein_grid_get(const rein_grid *grid, int x, int y);
void rein_grid_put(rein_grid *grid, int x, int y, rein_grid_cell cell);

/* Fill the rectangle of w x h cells at (x, y), which lies inside the map. */
void rein_grid_fill(rein_grid *grid, int x, int y, int w, int h, rein_grid_cell cell);

/* Put `cell` on a free place (empty, not the agent's) drawn uniformly from the rectangle of w x h
 * cells at (x, y), cut to the map. One draw. false: there is no free place. */
bool rein_grid_place(rein_grid *grid, rein_rng *rng, int x, int y, int w, int h,
                     rein_grid_cell cell);
/* The same for the agent; its heading is drawn, too. Two draws. */
bool rein_grid_place_agent(rein_grid *grid, rein_rng *rng, int x, int y, int w, int h);

typedef enum rein_grid_outcome {
    REIN_GRID_GOES_ON,
    REIN_GRID_REACHED_GOAL,
    REIN_GRID_IN_LAVA,
} rein_grid_outcome;

/* One step. An action outside [0, REIN_GRID_N_ACTIONS) does nothing, like DONE.
 *   left, right  turn
 *   forward      onto an empty cell, floor, goal, lava or an open door
 *   pickup       a key, ball or box in front, with empty hands
 *   drop         what is carried onto the empty cell in front
 *   toggle       a door in front opens or closes; a locked one opens when a key of its colour is
 *                carried (and is kept); a box in front is replaced by its content
 * Allocates: no. */
rein_grid_outcome rein_grid_act(rein_grid *grid, int action);

/* 1 - 0.9 t / T: what success pays at the step just taken. */
static inline double rein_grid_success(const rein_grid *grid)
{
    return 1 - 0.9 * ((double)grid->steps / (double)grid->max_steps);
}

/* What the agent sees: itself in the middle of the last row, looking up.
 *   image  out  u8 [7,7,3] indexed [x][y] = (type, colour, state); (0, 0, 0) where sight does not
 *               reach; its own cell shows what it carries
 * Allocates: no. Cost: some 50 ns. */
void rein_grid_view(const rein_grid *grid, uint8_t *image);

#endif
