// SPDX-License-Identifier: Apache-2.0
// The past of a service from /v1/trends/SERVICE and what ticks have told since, as one line of numbers. Pure.

const measures = ['flows', 'bytes_in', 'bytes_out', 'refused', 'flows_active'];

// Counts of each step become per second; times stand at the end of their step.
export function fromTrend(trend) {
	const end = Math.floor(Date.parse(trend.end) / 1000);
	const step = trend.step_seconds;
	const length = trend.flows.length;
	const series = { at: Array.from({ length }, (_, i) => end - (length - 1 - i) * step) };
	for (const measure of measures)
		series[measure] = measure === 'flows_active' ? [...trend[measure]] : trend[measure].map((n) => n / step);
	return series;
}

// The sum of several services, aligned at their newest step.
export function add(many) {
	const length = Math.max(0, ...many.map((series) => series.at.length));
	const longest = many.find((series) => series.at.length === length);
	if (!longest)
		return null;
	const sum = { at: [...longest.at] };
	for (const measure of measures)
		sum[measure] = sum.at.map((_, i) => many.reduce((total, series) => {
			const at = i - (length - series.at.length);
			return total + (at >= 0 ? series[measure][at] : 0);
		}, 0));
	return sum;
}

// What is live goes on where the past ends; never more than `most` steps.
export function join(past, live, most) {
	if (!past)
		return live;
	const end = past.at[past.at.length - 1] ?? -Infinity;
	const first = live.at.findIndex((at) => at > end + 0.5);
	const rest = (values) => first < 0 ? [] : values.slice(first);
	const joined = { at: [...past.at, ...rest(live.at)].slice(-most) };
	for (const measure of measures)
		joined[measure] = [...past[measure], ...rest(live[measure])].slice(-most);
	return joined;
}

// "now 12/s, highest 40/s, lowest 3/s", for those who do not see the chart.
export function inWords(values, format) {
	const known = values.filter((value) => Number.isFinite(value));
	if (known.length === 0)
		return 'no numbers yet';
	return `now ${format(known[known.length - 1])}, highest ${format(Math.max(...known))}, ` +
		`lowest ${format(Math.min(...known))}`;
}
