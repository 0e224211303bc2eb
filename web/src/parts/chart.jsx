// SPDX-License-Identifier: Apache-2.0
// A chart over time, with what is usual as a band; for those who do not see it, in words.
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { inWords } from '../model/series.js';
import { useWidth } from './common.jsx';

const height = 150;
const sync = uPlot.sync('time');

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// The band goes behind the lines, over the whole width: it is of the hour that is now.
function drawBand(plot, band) {
	if (!band)
		return;
	const { ctx, bbox } = plot;
	const y = (value) => Math.min(Math.max(plot.valToPos(value, 'y', true), bbox.top), bbox.top + bbox.height);
	const top = y(band.usual + band.deviation);
	const bottom = y(Math.max(0, band.usual - band.deviation));
	ctx.save();
	ctx.fillStyle = color('--band');
	ctx.fillRect(bbox.left, top, bbox.width, Math.max(bottom - top, 2));
	ctx.restore();
}

function options({ width, lines, format, bandRef, seconds }) {
	const axis = { stroke: color('--muted'), grid: { stroke: color('--line'), width: 1 }, ticks: { show: false },
		font: '11px system-ui, sans-serif' };
	return {
		width, height,
		padding: [8, 8, 0, 0],
		cursor: { sync: { key: sync.key }, points: { size: 6 }, drag: { x: false, y: false } },
		legend: { show: false },
		scales: { x: { time: true, range: (_, __, end) => [end - seconds, end] }, y: { range: (_, low, high) => {
			const band = bandRef.current;
			return [0, Math.max(high ?? 0, band ? band.usual + band.deviation : 0, 1) * 1.08];
		} } },
		axes: [{ ...axis, size: 26, space: 64, values: (_, splits, __, ___, step) => splits.map((at) => timeLabel(at, step)) },
			{ ...axis, size: 58, space: 34, values: (_, splits) => splits.map((value) => format(value)) }],
		series: [{}, ...lines.map(({ label, stroke, dash, fill }) => ({ label, stroke: color(stroke), width: 1.5, dash,
			fill: fill ? color(fill) : undefined, points: { show: false } }))],
		hooks: { drawAxes: [(plot) => drawBand(plot, bandRef.current)] },
	};
}

const two = (number) => String(number).padStart(2, '0');

function timeLabel(seconds, step) {
	const at = new Date(seconds * 1000);
	if (step >= 86400)
		return `${at.getDate()}.${at.getMonth() + 1}.`;
	return `${two(at.getHours())}:${two(at.getMinutes())}`;
}

// lines: [{ label, values, stroke, dash }]; band: { usual, deviation } or nothing; seconds: how much of time is shown.
export function Chart({ title, at, lines, format, band, theme, period, seconds }) {
	const [ref, width] = useWidth();
	const plot = useRef(null);
	const bandRef = useRef(band);
	bandRef.current = band;
	const data = [at, ...lines.map(({ values }) => values)];
	useEffect(() => {
		if (width === 0)
			return undefined;
		plot.current = new uPlot(options({ width, lines, format, bandRef, seconds }), data, ref.current);
		return () => {
			plot.current.destroy();
			plot.current = null;
		};
	}, [width === 0, theme]);
	useEffect(() => {
		if (plot.current && width > 0 && plot.current.width !== width)
			plot.current.setSize({ width, height });
	}, [width]);
	useEffect(() => plot.current?.setData(data));
	const words = lines.map(({ label, values }) => `${label}: ${inWords(values, format)}`).join('; ');
	return <figure class="chart">
		<figcaption>{title}<span class="keys">{lines.map(({ label, values, stroke, dash }) => <span key={label}>
			<svg width="18" height="8" aria-hidden="true"><line x1="0" y1="4" x2="18" y2="4" stroke={`var(${stroke})`}
				stroke-width="2" stroke-dasharray={dash?.join(' ')} /></svg>
			{label} <b>{values.length > 0 ? format(values[values.length - 1]) : '–'}</b></span>)}</span></figcaption>
		<div ref={ref} class="plot" role="img" aria-label={`${title}, ${period}. ${words}`} />
	</figure>;
}

export function Spark({ values, width = 96, height: tall = 20 }) {
	const top = Math.max(...values, 1);
	const points = values.map((value, i) => `${((i + 60 - values.length) / 59 * width).toFixed(1)},${(tall - 1 - value / top * (tall - 2)).toFixed(1)}`);
	return <svg class="spark" width={width} height={tall} aria-hidden="true"><polyline points={points.join(' ')} /></svg>;
}
