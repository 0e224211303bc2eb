// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findProblems, serviceHealth } from '../src/model/health.js';
import { gravity, inWords, lastTransitions, mergeEvents, timeline, timelineInWords } from '../src/model/history.js';
import { buildGraph, layOut, mapInWords } from '../src/model/map.js';
import { droppedAsRefused, guardInWords, ReasonRates } from '../src/model/refusals.js';
import { add, fromTrend, inWords as seriesInWords, join } from '../src/model/series.js';
import { Ticks } from '../src/model/ticks.js';
import { usualInWords } from '../src/model/usual.js';

const start = Date.parse('2026-11-24T14:00:00Z');

function server(name, state = 'up', more = {}) {
	return { name, address: `10.0.0.1:${name.length}`, state, state_age_ms: 60000, weight: 1, flows_active: 0,
		last_check: { good: state === 'up', cause: 'connection refused', age_ms: 10, duration_us: 5 }, ...more };
}

function pool(name, servers) {
	return { name, algorithm: 'round-robin', check: 'tcp', names: [], servers };
}

function service(name, to) {
	return { name, pool: to, listens: [{ protocol: 'tcp', address: '127.0.0.1:80' }], refused: {} };
}

function statusOf(services, pools, more = {}) {
	return { phase: 'running', generation: 3, reloads: { is_last_good: true }, limits: {}, log: { dropped: 0 }, services, pools,
		...more };
}

function ticksOf(status, perSecond = 0) {
	const ticks = new Ticks();
	for (let second = 0; second < 6; second++) {
		const numbers = { flows_active: 2, flows_total: second * perSecond, bytes_in: second * perSecond * 10,
			bytes_out: 0, packets_in: 0, packets_out: 0, refused_total: 0, connect_failures_total: 0 };
		ticks.apply({ ts: new Date(start + second * 1000).toISOString(), is_full: second === 0, generation: 1,
			services: status.services.map(({ name }) => ({ name, ...numbers })),
			servers: status.pools.flatMap((each) => each.servers.map(({ name, state }) =>
				({ pool: each.name, name, state, ...numbers }))) });
	}
	return ticks;
}

test('what is wrong is told, worst first', () => {
	const status = statusOf([service('s', 'web')], [
		pool('web', [server('a', 'down'), server('b', 'down'), server('c')]),
		pool('gone', [server('a', 'down')]), pool('aside', [server('a', 'drain'), server('b')])],
	{ reloads: { is_last_good: false }, log: { dropped: 13 }, limits: { connections: { used: 95, max: 100 } } });
	const problems = findProblems({ status, ticks: ticksOf(status), now: start });
	const texts = problems.map(({ text }) => text).join('\n');
	assert.match(texts, /web: 2 of 3 servers down \(a and b\), since .*: connection refused/);
	assert.match(texts, /gone: no server is up, new flows are refused: connection refused/);
	assert.match(texts, /The last reload failed, generation 3 stays in force$/m);
	const told = findProblems({ status, ticks: ticksOf(status), now: start,
		events: [{ event: 'reload_failed', cause: 'unknown directive', file: '/etc/strait.conf', line: 7 }] });
	assert.match(told.map(({ text }) => text).join('\n'), /in force: unknown directive \(\/etc\/strait.conf:7\)$/m);
	assert.match(texts, /95\u00a0% of all connections/);
	assert.match(texts, /13 log records lost/);
	assert.match(problems[0].text, /^gone/);
	assert.equal(problems.at(-1).level, 'note');
	assert.match(problems.at(-1).text, /aside: a is taken out by hand/);
	const well = statusOf([], [pool('web', [server('a')])]);
	assert.deepEqual(findProblems({ status: well, ticks: ticksOf(well), now: start }), []);
});

test('the stream is newer than the status', () => {
	const status = statusOf([service('s', 'web')], [pool('web', [server('a'), server('b')])]);
	const ticks = ticksOf(statusOf([], [pool('web', [server('a', 'down'), server('b')])]));
	assert.deepEqual(serviceHealth(status.pools[0], ticks), { word: 'weak', text: '1 of 2 servers up' });
});

test('events are merged by number, and a new daemon begins anew', () => {
	const event = (id, ts = 'x') => ({ id, ts, event: 'reloaded' });
	let events = mergeEvents([], [event(1), event(2)]);
	events = mergeEvents(events, [event(2), event(3)]);
	assert.deepEqual(events.map(({ id }) => id), [1, 2, 3]);
	events = mergeEvents(events, [event(1, 'later')]);
	assert.deepEqual(events.map(({ ts }) => ts), ['later']);
});

test('every event has a sentence', () => {
	assert.equal(inWords({ event: 'server_down', pool: 'web', server: 'a', cause: 'time-out' }), 'a in web is down: time-out');
	assert.equal(inWords({ event: 'something_new', id: 3, ts: 'x', speed: 7 }), 'something new: speed 7');
	assert.match(inWords({ event: 'server_up', pool: 'w', server: '\u202ex' }), /‹202E›x in w is up/);
	assert.equal(gravity({ event: 'server_down' }), 'bad');
	assert.equal(gravity({ event: 'audit' }), 'plain');
});

test('the timeline knows what was before the first event', () => {
	const at = (second) => new Date(start + second * 1000).toISOString();
	const made = timeline([{ event: 'started', ts: at(0), version: '1' },
		{ event: 'server_down', pool: 'web', server: 'a', ts: at(10) }, { event: 'server_up', pool: 'web', server: 'a', ts: at(30) },
		{ event: 'reload_failed', generation: 1, ts: at(40) },
		{ event: 'server_changed', pool: 'web', server: 'b', state: 'drain', ts: at(50) }], start + 100000);
	assert.deepEqual(made.lanes.map(({ server: name }) => name), ['b', 'a']);
	assert.deepEqual(made.lanes[1].segments.map(({ state }) => state), ['up', 'down', 'up']);
	assert.deepEqual(made.lanes[0].segments.map(({ state }) => state), ['up', 'drain']);
	assert.deepEqual(made.reloads.map(({ isBad }) => isBad), [false, true]);
	assert.match(timelineInWords(made), /b in web changed 1 time and is drain/);
	assert.equal(timeline([], start).lanes.length, 0);
	assert.deepEqual([...lastTransitions([{ event: 'server_down', pool: 'web', server: 'a', ts: at(1) },
		{ event: 'server_up', pool: 'web', server: 'a', ts: at(2) }, { event: 'audit', ts: at(3) }])], [['web\na', start + 2000]]);
});

test('refusals have totals and rates by reason', () => {
	const rates = new ReasonRates();
	const status = (a, b) => ({ services: [{ name: 'x', refused: { denied_access: a } },
		{ name: 'y', refused: { denied_access: b, limit_rate: 1 } }] });
	rates.take(status(10, 0), 0);
	rates.take(status(30, 5), 10000);
	const [first, second] = rates.table();
	assert.deepEqual([first.reason, first.total, first.rate], ['denied_access', 35, 2.5]);
	assert.deepEqual(first.services.map(({ name }) => name), ['x', 'y']);
	assert.equal(second.rate, 0);
	rates.take(status(1, 0), 20000);
	assert.equal(rates.table()[0].rate, 0);
});

test('what the packet guard dropped, and where it is, is told', () => {
	const rates = new ReasonRates();
	const guard = { state: 'active', why: null, interfaces: [{ name: 'eth0' }, { name: 'eth1' }], dropped: { land: 4 } };
	rates.take(droppedAsRefused({ packet_guard: { ...guard, dropped: {} } }), 0);
	rates.take(droppedAsRefused({ packet_guard: guard }), 2000);
	assert.deepEqual(rates.table().map(({ reason, total, rate }) => [reason, total, rate]), [['land', 4, 2]]);
	assert.deepEqual(droppedAsRefused({}).services.length, 1);
	assert.equal(guardInWords(guard), 'Packets are judged at eth0 and eth1.');
	assert.match(guardInWords({ ...guard, why: 'eth2: gone' }), /eth1 \(eth2: gone\)/);
	assert.match(guardInWords({ ...guard, interfaces: [] }), /nothing to judge/);
	assert.match(guardInWords({ ...guard, state: 'off', interfaces: [] }), /packet-guard is off/);
	const weak = guardInWords({ ...guard, state: 'unavailable', why: 'CAP_BPF is needed', interfaces: [] });
	assert.match(weak, /cannot be judged.*\(CAP_BPF is needed\).*kernel's own checks; blocks are enforced/);
});

test('the past and what is live are one line', () => {
	const trend = { end: '2026-11-24T14:00:00Z', step_seconds: 60, flows: [60, 120], bytes_in: [0, 0], bytes_out: [0, 0],
		refused: [0, 0], flows_active: [3, 4] };
	const past = fromTrend(trend);
	assert.deepEqual(past.flows, [1, 2]);
	assert.deepEqual(past.flows_active, [3, 4]);
	assert.equal(past.at[1] - past.at[0], 60);
	const sum = add([past, { ...past, at: [past.at[1]], flows: [10], flows_active: [1], bytes_in: [0], bytes_out: [0], refused: [0] }]);
	assert.deepEqual(sum.flows, [1, 12]);
	const live = { at: [past.at[1], past.at[1] + 1], flows: [9, 7], bytes_in: [0, 0], bytes_out: [0, 0], refused: [0, 0],
		flows_active: [0, 0] };
	assert.deepEqual(join(past, live, 10).flows, [1, 2, 7]);
	assert.deepEqual(join(past, live, 2).flows, [2, 7]);
	assert.equal(join(null, live, 2), live);
	assert.equal(add([]), null);
	assert.equal(seriesInWords([], String), 'no numbers yet');
	assert.equal(seriesInWords([3, 9, 5], String), 'now 5, highest 9, lowest 3');
});

test('what is usual is a sentence', () => {
	assert.equal(usualInWords({ measure: 'flows', now: 40, usual: 12, deviation: 2, samples: 9, basis: 'Tuesday 14:00-15:00' }),
		'usual for Tuesday 14:00-15:00: 12/s ± 2; now 40/s');
	assert.match(usualInWords({ measure: 'flows', now: 40, usual: 0, deviation: 0, samples: 0, basis: '' }), /not known yet/);
});

function layoutOf(status, width, more = {}) {
	const graph = buildGraph({ status, ticks: ticksOf(status, 10), measure: 'flows', isNarrow: width < 620, ...more });
	return { graph, drawn: layOut(graph, width) };
}

test('boxes do not overlap, links stay within their boxes', () => {
	const status = statusOf([service('s1', 'web'), service('s2', 'web'), service('s3', 'db')],
		[pool('web', [server('a'), server('bb', 'down')]), pool('db', [server('ccc', 'drain')])]);
	for (const width of [328, 700, 1232]) {
		const { drawn } = layoutOf(status, width);
		for (const node of drawn.nodes) {
			assert.ok(node.x >= 0 && node.x + node.width <= width + 1, `${node.label} at ${width}`);
			assert.ok(node.y >= 0 && node.y + node.height <= drawn.height, node.label);
			for (const other of drawn.nodes)
				if (other !== node && other.column === node.column)
					assert.ok(other.y >= node.y + node.height || node.y >= other.y + other.height);
		}
		assert.ok(drawn.links.every(({ thickness }) => thickness >= 1 && thickness <= 31));
		/* To bb, from both services where pools are left out; and to the pool that has nobody else. */
		assert.equal(drawn.links.filter(({ state }) => state === 'down').length, 2);
	}
});

test('a large configuration is cut to what fails and what carries most', () => {
	const services = Array.from({ length: 1000 }, (_, i) => service(`s${i}`, `p${i}`));
	const pools = services.map((_, i) => pool(`p${i}`, [server('a', i === 777 ? 'down' : 'up'),
		...Array.from({ length: 20 }, (__, j) => server(`b${j}`))]));
	const status = statusOf(services, pools);
	const { graph } = layoutOf(status, 1232);
	const shown = graph.nodes.filter(({ column, isRest }) => column === 'service' && !isRest);
	assert.equal(shown.length, 10);
	assert.ok(shown.some(({ label }) => label === 's777'));
	assert.equal(graph.hiddenCount, 990);
	assert.ok(graph.nodes.some(({ label }) => label === '990 more services'));
	assert.ok(graph.nodes.some(({ label }) => label === '16 more servers'));
	assert.match(mapInWords(graph, String), /Servers down: a\./);
	const found = layoutOf(status, 1232, { wanted: 'S999' }).graph;
	assert.deepEqual(found.nodes.filter(({ column }) => column === 'service').map(({ label }) => label), ['s999']);
	assert.deepEqual(layoutOf(status, 1232, { wanted: 'nothing' }).graph.nodes, []);
});
