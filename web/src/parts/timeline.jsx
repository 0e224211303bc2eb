// SPDX-License-Identifier: Apache-2.0
// Which server was in which state when, with reloads across.
import { cut, clock, visible } from '../format.js';
import { timelineInWords } from '../model/history.js';
import { stateTexts } from '../model/map.js';
import { useWidth } from './common.jsx';

const lane = 22;
const head = 16;
const foot = 20;

function Segment({ segment, x, y }) {
	const left = x(segment.from);
	return <rect class={`segment ${segment.state}`} x={left} y={y + 5} width={Math.max(2, x(segment.to) - left)} height={lane - 10}>
		<title>{`${stateTexts[segment.state] ?? segment.state} from ${clock(segment.from)}`}</title></rect>;
}

export function Timeline({ made }) {
	const [ref, width] = useWidth();
	const { from, to, lanes, reloads, hiddenCount } = made;
	const names = Math.min(180, Math.floor(width * 0.32));
	const x = (at) => names + (at - from) / (to - from) * Math.max(1, width - names - 1);
	const height = head + lanes.length * lane + foot;
	return <div ref={ref} class="timeline">
		{lanes.length === 0 ? <p class="quiet">No server has changed its state since {clock(from)}.</p>
			: width > 0 && <svg width={width} height={height} role="img" aria-label={timelineInWords(made)}>
				{lanes.map((row, i) => <g key={`${row.pool} ${row.server}`}>
					<text x="0" y={head + i * lane + 15}>{cut(visible(`${row.pool}/${row.server}`), Math.floor(names / 7.2))}</text>
					{row.segments.map((segment) => <Segment key={segment.from} segment={segment} x={x} y={head + i * lane} />)}
				</g>)}
				{reloads.map(({ at, isBad, text }) => <g key={at + text} class={`reload ${isBad ? 'bad' : ''}`}>
					<title>{`${clock(at)}: ${text}`}</title>
					<line x1={x(at)} x2={x(at)} y1={head - 4} y2={height - foot} />
					<text x={x(at)} y={head - 6} text-anchor="middle">{isBad ? '✕' : '↻'}</text></g>)}
				<text class="small" x={names} y={height - 5}>{clock(from)}</text>
				<text class="small" x={width} y={height - 5} text-anchor="end">now</text>
			</svg>}
		{lanes.length > 0 && <p class="quiet legend"><span class="swatch up" /> up <span class="swatch down" /> down{' '}
			<span class="swatch drain" /> drained <span class="swatch maint" /> maintenance, ↻ start or reload
			{hiddenCount > 0 && `; ${hiddenCount} more servers changed earlier`}</p>}
	</div>;
}
