#!/bin/bash
# Draw learning curves as SVG from metrics.jsonl of finished runs: one line a run, the training
# return (mean of the last 100 episodes) over environment steps.
# usage: scripts/figure.sh TITLE RUN [RUN ...] > figure.svg
set -euo pipefail
title=$1
shift
for run in "$@"; do
    echo "run $run"
    sed -nE 's/.*"step": *([0-9]+),.*"episode_return_mean": *(-?[0-9.eE+-]+),.*/\1 \2/p' \
        "$run/metrics.jsonl"
done | awk -v title="$title" '
/^run / { n++; count[n] = 0; next }
{
    k = ++count[n]; x[n, k] = $1; y[n, k] = $2
    if ($1 > xmax) xmax = $1
    if (!seen || $2 > ymax) ymax = $2
    if (!seen || $2 < ymin) ymin = $2
    seen = 1
}
function step_of(range,   s) { # a tick distance of 1, 2 or 5 times a power of ten
    s = 10 ^ int(log(range) / log(10) + 100) / 1e100
    if (range / s < 2) s /= 5; else if (range / s < 5) s /= 2
    return s
}
function px(v) { return 70 + 600 * v / xmax }
function py(v) { return 330 - 280 * (v - ymin) / (ymax - ymin) }
END {
    print "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 700 390\" font-family=\"sans-serif\" font-size=\"13\">"
    print "<rect width=\"700\" height=\"390\" fill=\"white\"/>"
    printf "<text x=\"70\" y=\"28\" font-size=\"16\">%s</text>\n", title
    s = step_of(ymax - ymin)
    for (v = s * int(ymin / s); v <= ymax; v += s) if (v >= ymin) {
        printf "<line x1=\"70\" x2=\"670\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#ddd\"/>", py(v), py(v)
        printf "<text x=\"62\" y=\"%.1f\" text-anchor=\"end\">%g</text>\n", py(v) + 4, v == 0 ? 0 : v
    }
    s = step_of(xmax)
    for (v = 0; v <= xmax; v += s) {
        label = v >= 1e6 ? v / 1e6 " M" : v >= 1e3 ? v / 1e3 " k" : v
        printf "<text x=\"%.1f\" y=\"350\" text-anchor=\"middle\">%s</text>\n", px(v), label
    }
    print "<text x=\"370\" y=\"376\" text-anchor=\"middle\">environment steps</text>"
    split("#1b6ca8 #c8553d #3a7d44 #8a4fff #b08900", colour, " ")
    for (i = 1; i <= n; i++) {
        printf "<polyline fill=\"none\" stroke-width=\"1.5\" stroke=\"%s\" points=\"", colour[(i - 1) % 5 + 1]
        skip = int(count[i] / 400) + 1
        for (k = 1; k <= count[i]; k += skip) printf "%.1f,%.1f ", px(x[i, k]), py(y[i, k])
        print "\"/>"
    }
    print "</svg>"
}'
