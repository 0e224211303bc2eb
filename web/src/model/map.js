// SPDX-License-Identifier: Apache-2.0
// The map: what it shows of a configuration, and where everything stands. Pure.
//
// Boxes in columns (listen addresses, services, pools, servers), links between them as wide as their traffic. A large
// configuration is cut to what fails and what carries most; the rest is one box in each column, with its sums.
import { cut, plural, visible } from '../format.js';
import { currentState, serviceHealth } from './health.js';

export const servicesShown = 10;
const serversShown = 6;
const listensShown = 3;
const gap = 8;
const boxHeight = 36;
const widest = 30;
const headHeight = 22;
const titles = { listen: 'listen address', service: 'service', pool: 'pool', server: 'server' };

export const measures = {
	bytes: (rates) => rates.bytes_in + rates.bytes_out,
	flows: (rates) => rates.flows,
	active: (rates) => rates.active,
};

function contains(text, wanted) {
	return text.toLowerCase().includes(wanted);
}

function matches(service, pool, wanted) {
	return wanted === '' || contains(service.name, wanted) || contains(service.pool, wanted) ||
		service.listens.some(({ address }) => contains(address, wanted)) ||
		(pool?.servers ?? []).some(({ name, address }) => contains(name, wanted) || contains(address, wanted));
}

const badness = { bad: 0, weak: 1, ok: 2 };

function choose(status, ticks, measure, wanted) {
	const pools = new Map(status.pools.map((pool) => [pool.name, pool]));
	const rows = status.services.map((service) => ({ service, pool: pools.get(service.pool),
		value: measure(ticks.serviceRates(service.name)),
		badness: badness[serviceHealth(pools.get(service.pool), ticks).word] }))
		.filter(({ service, pool }) => matches(service, pool, wanted));
	const most = rows.length > servicesShown
		? [...rows].sort((a, b) => a.badness - b.badness || b.value - a.value).slice(0, servicesShown) : rows;
	const shown = new Set(most);
	return { shown: rows.filter((row) => shown.has(row)), rest: rows.filter((row) => !shown.has(row)) };
}

class Graph {
	constructor() {
		this.nodes = new Map();
		this.links = [];
	}

	node(column, id, fields) {
		if (!this.nodes.has(id))
			this.nodes.set(id, { id, column, value: 0, state: 'up', ...fields });
		return this.nodes.get(id);
	}

	link(from, to, value, state = 'up') {
		this.links.push({ from: from.id, to: to.id, value, state });
	}
}

const stateOfHealth = { ok: 'up', weak: 'weak', bad: 'down' };

// part: the share of the pool's traffic that comes from this node.
function addServers(graph, from, pool, ticks, measure, part = 1) {
	const rows = pool.servers.map((server) => ({ server, state: currentState(ticks, pool, server),
		value: measure(ticks.serverRates(pool.name, server.name)) }));
	const order = (row) => row.state === 'down' ? 0 : 1;
	const most = new Set(rows.length > serversShown
		? [...rows].sort((a, b) => order(a) - order(b) || b.value - a.value).slice(0, serversShown - 1) : rows);
	for (const { server, state, value } of rows.filter((row) => most.has(row))) {
		const node = graph.node('server', `server\n${pool.name}\n${server.name}`,
			{ label: server.name, detail: server.address, state, value });
		graph.link(from, node, value * part, state);
	}
	const rest = rows.filter((row) => !most.has(row));
	if (rest.length > 0) {
		const down = rest.filter(({ state }) => state === 'down').length;
		const value = rest.reduce((sum, row) => sum + row.value, 0);
		const node = graph.node('server', `rest\n${pool.name}`, { label: `${rest.length} more servers`,
			detail: down > 0 ? `${down} down` : '', state: down > 0 ? 'weak' : 'up', value, isRest: true });
		graph.link(from, node, value * part, node.state);
	}
}

function addListens(graph, serviceNode, service, value) {
	const shown = service.listens.length > listensShown ? service.listens.slice(0, listensShown - 1) : service.listens;
	const rest = service.listens.length - shown.length;
	const boxes = [...shown.map(({ protocol, address }) => ({ label: address, detail: protocol })),
		...(rest > 0 ? [{ label: `${rest} more addresses`, detail: '', isRest: true }] : [])];
	boxes.forEach((box, i) => {
		const node = graph.node('listen', `listen\n${service.name}\n${i}`, { ...box, isUncounted: true });
		graph.link(node, serviceNode, value / boxes.length);
	});
}

// Servers count by pool: a service that shares its pool gets its share of what its servers carry.
function shareOf(row, shown) {
	const all = shown.filter(({ pool }) => pool === row.pool);
	const sum = all.reduce((total, { value }) => total + value, 0);
	return sum > 0 ? row.value / sum : 1 / all.length;
}

// { nodes, links, hiddenCount }; narrow leaves out listen addresses and pools.
export function buildGraph({ status, ticks, measure, wanted = '', isNarrow = false }) {
	const graph = new Graph();
	const value = measures[measure];
	const { shown, rest } = choose(status, ticks, value, wanted.trim().toLowerCase());
	for (const row of shown) {
		const { service, pool } = row;
		const state = stateOfHealth[serviceHealth(pool, ticks).word];
		const serviceNode = graph.node('service', `service\n${service.name}`,
			{ label: service.name, detail: '', state, value: row.value });
		if (!isNarrow)
			addListens(graph, serviceNode, service, row.value);
		if (!pool)
			continue;
		const id = `pool\n${pool.name}`;
		const isKnown = graph.nodes.has(id);
		const poolNode = isNarrow ? serviceNode
			: graph.node('pool', id, { label: pool.name, detail: pool.algorithm, state });
		if (!isNarrow) {
			poolNode.value += row.value;
			graph.link(serviceNode, poolNode, row.value, state);
		}
		if (isNarrow)
			addServers(graph, serviceNode, pool, ticks, value, shareOf(row, shown));
		else if (!isKnown)
			addServers(graph, poolNode, pool, ticks, value);
	}
	if (rest.length > 0)
		addRest(graph, rest, ticks, isNarrow);
	return { nodes: [...graph.nodes.values()], links: graph.links, hiddenCount: rest.length };
}

function addRest(graph, rest, ticks, isNarrow) {
	const value = rest.reduce((sum, row) => sum + row.value, 0);
	const pools = [...new Set(rest.map(({ pool }) => pool).filter(Boolean))];
	const servers = pools.flatMap((pool) => pool.servers.map((server) => currentState(ticks, pool, server)));
	const down = servers.filter((state) => state === 'down').length;
	const state = down > 0 ? 'weak' : 'up';
	const service = graph.node('service', 'rest service', { label: `${plural(rest.length, 'more service')}`, detail: '', value,
		state, isRest: true });
	const pool = isNarrow ? service
		: graph.node('pool', 'rest pool', { label: plural(pools.length, 'more pool'), detail: '', value, state, isRest: true });
	const server = graph.node('server', 'rest server', { label: plural(servers.length, 'more server'),
		detail: down > 0 ? `${down} down` : '', value, state, isRest: true });
	if (!isNarrow)
		graph.link(service, pool, value, state);
	graph.link(pool, server, value, state);
}

const shares = { 4: [0.21, 0.17, 0.17, 0.21], 2: [0.4, 0.42] };

// Adds x, y, width, height to nodes, and path, width to links. All in pixels.
export function layOut({ nodes, links }, width) {
	const columns = ['listen', 'service', 'pool', 'server'].filter((column) => nodes.some((node) => node.column === column));
	const widths = (shares[columns.length] ?? columns.map(() => 0.6 / columns.length)).map((share) => Math.floor(share * width));
	const between = columns.length > 1
		? (width - widths.reduce((sum, each) => sum + each, 0)) / (columns.length - 1) : 0;
	const largest = Math.max(...links.map((link) => link.value), 0);
	const thickness = (value) => largest > 0 ? Math.max(1.5, value / largest * widest) : 1.5;
	const placed = new Map(nodes.map((node) => [node.id, { ...node, height: boxHeight, inAt: 0, outAt: 0 }]));
	const heights = columns.map((column) => stack(column, placed, links, thickness));
	const height = Math.max(...heights, boxHeight);
	const heads = [];
	columns.forEach((column, i) => {
		const x = widths.slice(0, i).reduce((sum, each) => sum + each + between, 0);
		heads.push({ title: titles[column], x });
		for (const node of placed.values())
			if (node.column === column) {
				node.x = x;
				node.width = widths[i];
				node.y += headHeight + (height - heights[i]) / 2;
			}
	});
	return { width, height: height + headHeight + 1, columns: heads, nodes: [...placed.values()], links: drawLinks(links, placed, thickness) };
}

// Places the boxes of a column under each other; returns its height.
function stack(column, placed, links, thickness) {
	let y = 0;
	for (const node of placed.values()) {
		if (node.column !== column)
			continue;
		const sum = (end) => links.filter((link) => link[end] === node.id)
			.reduce((total, link) => total + thickness(link.value) + 1, 0);
		node.height = Math.max(boxHeight, sum('to') + 6, sum('from') + 6);
		node.inAt = (node.height - sum('to')) / 2;
		node.outAt = (node.height - sum('from')) / 2;
		node.y = y;
		y += node.height + gap;
	}
	return Math.max(0, y - gap);
}

function drawLinks(links, placed, thickness) {
	return links.map((link) => {
		const from = placed.get(link.from);
		const to = placed.get(link.to);
		const width = thickness(link.value);
		const y1 = from.y + from.outAt + width / 2;
		const y2 = to.y + to.inAt + width / 2;
		from.outAt += width + 1;
		to.inAt += width + 1;
		const x1 = from.x + from.width;
		const bend = (to.x - x1) / 2;
		return { ...link, thickness: width, middle: [(x1 + to.x) / 2, (y1 + y2) / 2],
			path: `M${x1} ${y1.toFixed(1)}C${x1 + bend} ${y1.toFixed(1)} ${to.x - bend} ${y2.toFixed(1)} ${to.x} ${y2.toFixed(1)}` };
	});
}

export const stateMarks = { up: '', weak: '▲', down: '✕', drain: '◌', maint: '‖' };
export const stateTexts = { up: 'up', weak: 'weakened', down: 'down', drain: 'drained', maint: 'maintenance' };

export function labelOf(node) {
	const mark = stateMarks[node.state];
	const room = Math.floor((node.width - 16) / 7.2) - (mark ? 2 : 0);
	return (mark ? `${mark} ` : '') + cut(visible(node.label), Math.max(4, room));
}

export function mapInWords({ nodes }, format) {
	const parts = nodes.filter(({ column }) => column === 'service').map((node) => {
		const state = node.state === 'up' ? '' : `, ${stateTexts[node.state]}`;
		return `${visible(node.label)} ${format(node.value)}${state}`;
	});
	const down = nodes.filter(({ column, state, isRest }) => column === 'server' && state === 'down' && !isRest);
	return `Services: ${parts.join('; ') || 'none'}. Servers down: ${down.map((node) => visible(node.label)).join(', ') || 'none'}.`;
}
