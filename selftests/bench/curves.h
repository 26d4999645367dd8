/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Growth curves as SVG: flows on a logarithmic axis, net nanoseconds on a linear one. A flow
 * table dwarfs all else, so there is a second picture without it.
 */
#ifndef CURVES_H
#define CURVES_H

#include <math.h>

#include "lb_rows.h"

#define WIDTH 760
#define HEIGHT 420
#define LEFT 60
#define RIGHT 190 /* room for the names */
#define TOP 30
#define BOTTOM 50
#define LOG2_FLOWS_MAX 24

struct curve {
	enum class class;
	const char *name, *colour;
};

/* The one that dwarfs the others comes first. */
static const struct curve curves[] = {
	{ STATEFUL, "minimal, flow table", "#c0392b" },
	{ STATELESS, "minimal, stateless", "#7f8c8d" },
	{ RING, "ours, new connection", "#2980b9" },
	{ JOIN, "ours, join", "#8e44ad" },
	{ STAMPED, "ours, stamped", "#27ae60" },
};

#define CURVES (sizeof(curves) / sizeof(*curves))

static inline double x_of(uint32_t flows)
{
	return LEFT + log2(flows) / LOG2_FLOWS_MAX * (WIDTH - LEFT - RIGHT);
}

static inline double y_of(double ns, double most)
{
	return HEIGHT - BOTTOM - ns / most * (HEIGHT - TOP - BOTTOM);
}

static inline double highest(const struct group *group, const struct curve *drawn, size_t count)
{
	double most = 1;

	for (size_t i = 0; i < row_count; i++)
		for (size_t j = 0; j < count; j++)
			if (rows[i].group == group && rows[i].class == drawn[j].class &&
			    rows[i].net_ns > most)
				most = rows[i].net_ns;
	return most * 1.05;
}

static inline void draw_axes(FILE *out, double most)
{
	double step =
		pow(10, floor(log10(most))) / (most / pow(10, floor(log10(most))) < 3 ? 2 : 1);

	for (double ns = 0; ns <= most; ns += step)
		fprintf(out,
			"<line x1='%d' x2='%d' y1='%.1f' y2='%.1f' stroke='#ddd'/>"
			"<text x='%d' y='%.1f' text-anchor='end'>%.0f</text>\n",
			LEFT, WIDTH - RIGHT, y_of(ns, most), y_of(ns, most), LEFT - 6,
			y_of(ns, most) + 4, ns);
	for (int bits = 0; bits <= LOG2_FLOWS_MAX; bits += 4)
		fprintf(out, "<text x='%.1f' y='%d' text-anchor='middle'>%s</text>\n",
			x_of(1u << bits), HEIGHT - BOTTOM + 18,
			(const char *[]){ "1", "16", "256", "4k", "64k", "1M", "16M" }[bits / 4]);
	fprintf(out,
		"<text x='%d' y='%d' text-anchor='middle'>flows</text>\n"
		"<text x='%d' y='%d'>net ns a packet (IPIP over IPv4, 100 backends)</text>\n",
		(LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, LEFT, TOP - 12);
}

/* Names keep their distance though curves meet; curves stand from the highest down. */
static inline double label_y(double y, double *above)
{
	if (y < *above + 15)
		y = *above + 15;
	*above = y;
	return y;
}

static inline void draw_curve(FILE *out, const struct group *group, const struct curve *curve,
			      double most, double *above)
{
	const struct row *last = NULL;

	fprintf(out, "<polyline fill='none' stroke-width='2' stroke='%s' points='", curve->colour);
	for (int i = 0; i < FLOWS_LISTED && group->flows[i]; i++) {
		last = find_row(group, curve->class, false, group->flows[i]);
		fprintf(out, "%.1f,%.1f ", x_of(last->flows), y_of(last->net_ns, most));
	}
	fprintf(out, "'/>\n<text x='%d' y='%.1f' fill='%s'>%s</text>\n", WIDTH - RIGHT + 8,
		label_y(y_of(last->net_ns, most) + 4, above), curve->colour, curve->name);
}

/* From the highest at the right end to the lowest, as their names are to stand. */
static inline void sort_curves(const struct group *group, struct curve *drawn, size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (size_t j = i + 1; j < count; j++) {
			struct curve one = drawn[i], other = drawn[j];

			if (find_row(group, one.class, false, MILLIONS_16)->net_ns >=
			    find_row(group, other.class, false, MILLIONS_16)->net_ns)
				continue;
			drawn[i] = other;
			drawn[j] = one;
		}
}

/* first: 0, or 1 to leave out what dwarfs the others. */
static inline void draw_curves(FILE *out, const struct group *group, size_t first)
{
	size_t count = CURVES - first;
	struct curve drawn[CURVES];
	double most, above = 0;

	memcpy(drawn, &curves[first], count * sizeof(*drawn));
	sort_curves(group, drawn, count);
	most = highest(group, drawn, count);
	fprintf(out,
		"<svg xmlns='http://www.w3.org/2000/svg' width='%d' height='%d' "
		"font-family='sans-serif' font-size='12'>\n"
		"<rect width='100%%' height='100%%' fill='white'/>\n",
		WIDTH, HEIGHT);
	draw_axes(out, most);
	for (size_t i = 0; i < count; i++)
		draw_curve(out, group, &drawn[i], most, &above);
	fprintf(out, "</svg>\n");
}

#endif
