// SPDX-License-Identifier: Apache-2.0
// 3. Where it goes: listen addresses, services, pools, servers; links as wide as their traffic.
import { useState } from 'preact/hooks';
import { byteRate, count, cut, rate, visible } from '../format.js';
import { buildGraph, labelOf, layOut, mapInWords, servicesShown, stateTexts } from '../model/map.js';
import { Choice, Filter, Section, useWidth } from './common.jsx';

const formats = { bytes: byteRate, flows: rate, active: count };
const narrow = 620;

function Link({ link }) {
	const isBroken = link.state === 'down';
	return <g class={`link ${link.state}`}>
		<path d={link.path} stroke-width={link.thickness.toFixed(1)} />
		{isBroken && <text class="break" x={link.middle[0]} y={link.middle[1] + 4}>✕</text>}
	</g>;
}

function Box({ node, format, isNarrow }) {
	const more = node.state === 'up' || node.isRest ? (isNarrow ? '' : node.detail) : stateTexts[node.state];
	const numbers = node.isUncounted ? node.detail : [format(node.value), more].filter(Boolean).join(' · ');
	const room = Math.floor((node.width - 16) / 6.4);
	return <g class={`box ${node.state} ${node.isRest ? 'rest' : ''}`} transform={`translate(${node.x} ${node.y})`}>
		<title>{`${visible(node.label)} ${visible(node.detail ?? '')}: ${stateTexts[node.state]}`}</title>
		<rect width={node.width} height={node.height} rx="3" />
		<text x="8" y={node.height / 2 - 3}>{labelOf(node)}</text>
		<text class="small" x="8" y={node.height / 2 + 12}>{cut(visible(numbers), Math.max(6, room))}</text>
	</g>;
}

export function TrafficMap({ store }) {
	const [measure, setMeasure] = useState('bytes');
	const [wanted, setWanted] = useState('');
	const [ref, width] = useWidth();
	const { status, ticks } = store;
	const graph = status && width > 0 && buildGraph({ status, ticks, measure, wanted, isNarrow: width < narrow });
	const drawn = graph && layOut(graph, width);
	const format = formats[measure];
	return <Section id="map" number="3" title="Where it goes"
		answer={graph && graph.hiddenCount > 0 && `The ${servicesShown} services that fail or carry most; the rest together.`}
		tools={<>{status?.services.length > 3 && <Filter label="Filter map" value={wanted} onChange={setWanted} />}
			<Choice label="Width of links" value={measure} onChange={setMeasure}
				options={[['bytes', 'bytes/s'], ['flows', 'flows/s'], ['active', 'open flows']]} /></>}>
		<div ref={ref} class="map">
			{drawn && <>
				<svg width={drawn.width} height={drawn.height} role="img" aria-label={mapInWords(graph, format)}>
					{drawn.columns.map(({ title, x }) => <text key={title} class="small" x={x} y="12">{title}</text>)}
					{drawn.links.map((link) => <Link key={`${link.from} ${link.to}`} link={link} />)}
					{drawn.nodes.map((node) => <Box key={node.id} node={node} format={format} isNarrow={width < narrow} />)}
				</svg></>}
			{graph && graph.nodes.length === 0 && <p class="quiet">Nothing matches.</p>}
		</div>
		<p class="quiet legend">✕ down, dashed; ▲ weakened; ◌ drained; ‖ maintenance. Traffic is counted by service: its
			listen addresses share it evenly here.</p>
	</Section>;
}
