"""Rollouts of run folders against metrics.jsonl, read by h5py alone.

usage: check_rollouts.py [--complete] RUN ...

Every part opens; the parts are one stretch of time from step 0; the episode table equals the
transitions; and the cumulative sum of episode returns equals that of the last row of metrics.jsonl
that the parts reach (with --complete: of the last row).
"""
import glob
import json
import os
import sys

import h5py
import numpy as np


def rows_of(path):
    """Complete rows: a killed run may leave half a line behind the last one."""
    if not os.path.exists(path):
        return []
    lines = open(path).read().split("\n")[:-1]
    return [r for r in map(json.loads, lines) if "episode_return_sum" in r]


def main(run, complete):
    paths = sorted(glob.glob(os.path.join(run, "rollouts", "*.h5")))
    leftovers = glob.glob(os.path.join(run, "**", "*.tmp"), recursive=True)
    assert not (complete and leftovers), leftovers
    reward, ended, end, env, returns = [], [], [], [], []
    n_steps = 0
    for path in paths:
        with h5py.File(path, "r") as f:
            assert int(f.attrs["first_step"]) == n_steps, path
            reward.append(f["reward"][:])
            ended.append(f["terminated"][:] | f["truncated"][:])
            end.append(f["episode/end"][:])
            env.append(f["episode/env"][:])
            returns.append(f["episode/return"][:])
            assert np.isfinite(f["observation"][:].astype(float)).all(), path
            n_steps += len(f["reward"])
    if not paths:
        assert not complete
        return
    reward, ended = np.concatenate(reward).astype(float), np.concatenate(ended)
    end, env, returns = map(np.concatenate, (end, env, returns))
    n_envs = ended.shape[1]

    # The table against the transitions.
    assert len(end) == int(ended.sum()), (len(end), ended.sum())
    start = np.zeros(n_envs, int)
    for e, n, r in zip(end, env, returns):
        assert ended[e - 1, n]
        total = reward[start[n]:e, n].sum()
        assert abs(total - r) <= 1e-5 * max(1, abs(r)), (e, n, total, r)
        start[n] = e

    # The table against the log.
    rows = [r for r in rows_of(os.path.join(run, "metrics.jsonl")) if r["step"] <= n_steps * n_envs]
    if complete:
        assert rows and rows[-1]["step"] == n_steps * n_envs, (rows[-1:], n_steps)
    if rows:
        seen = end * n_envs <= rows[-1]["step"]
        total = 0.0
        for r in returns[seen]:
            total += r
        assert seen.sum() == rows[-1]["episodes"], (seen.sum(), rows[-1])
        logged = rows[-1]["episode_return_sum"]
        assert abs(total - logged) <= 1e-9 * max(1, abs(logged)), (total, logged)
    if os.path.exists(os.path.join(run, "rollouts.h5")):
        with h5py.File(os.path.join(run, "rollouts.h5"), "r") as f:
            n = len(f["reward"])
            assert n <= n_steps
            assert np.array_equal(f["reward"][:], reward[:n].astype(np.float32))


is_complete = sys.argv[1] == "--complete"
for folder in sys.argv[1 + is_complete:]:
    main(folder, is_complete)
