// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rateOf, TickMerger, Ticks } from '../src/model/ticks.js';

const start = Date.parse('2026-11-24T14:00:00Z');

function service(name, total, more = {}) {
	return { name, flows_active: 1, flows_total: total, bytes_in: total * 100, bytes_out: total * 1000, packets_in: 0,
		packets_out: 0, refused_total: 0, ...more };
}

function server(name, total, state = 'up') {
	return { pool: 'web', name, state, flows_active: 0, flows_total: total, bytes_in: 0, bytes_out: 0,
		connect_failures_total: 0 };
}

function tick(second, services, servers = [], isFull = second === 0) {
	return { ts: new Date(start + second * 1000).toISOString(), generation: 1, phase: 'running', is_degraded: false,
		is_full: isFull, services, servers };
}

test('rates are means of the last five seconds', () => {
	const ticks = new Ticks();
	for (let second = 0; second <= 20; second++)
		ticks.apply(tick(second, [service('web', second * (second > 10 ? 20 : 10))]));
	const { flows, bytes_in } = ticks.serviceRates('web');
	assert.equal(flows, 20);
	assert.equal(bytes_in, 2000);
	assert.equal(ticks.serviceRates('nobody').flows, 0);
});

test('what a tick leaves out has not changed', () => {
	const ticks = new Ticks();
	ticks.apply(tick(0, [service('a', 5), service('b', 7)], [server('x', 1)]));
	ticks.apply(tick(1, [service('a', 15)]));
	assert.equal(ticks.serviceRates('a').flows, 10);
	assert.equal(ticks.serviceRates('b').flows, 0);
	assert.equal(ticks.services.get('b').values.flows_total, 7);
	assert.equal(ticks.servers.size, 1);
	for (let second = 2; second < 10; second++)
		ticks.apply(tick(second, []));
	assert.equal(ticks.serviceRates('a').flows, 0);
});

test('a full tick forgets what it does not name', () => {
	const ticks = new Ticks();
	ticks.apply(tick(0, [service('a', 5), service('b', 7)]));
	ticks.apply(tick(1, [service('b', 8)], [], true));
	assert.deepEqual([...ticks.services.keys()], ['b']);
	assert.equal(ticks.serviceRates('b').flows, 1);
});

test('counters that begin anew give no negative rates', () => {
	const ticks = new Ticks();
	ticks.apply(tick(0, [service('a', 1000)]));
	ticks.apply(tick(1, [service('a', 3)], [], true));
	assert.equal(ticks.serviceRates('a').flows, 0);
	ticks.apply(tick(2, [service('a', 5)]));
	assert.equal(ticks.serviceRates('a').flows, 2);
	assert.ok(ticks.all.flows.every((value) => value >= 0));
});

test('totals and the recent past are sums', () => {
	const ticks = new Ticks();
	ticks.follow('a');
	for (let second = 0; second < 700; second++)
		ticks.apply(tick(second, [service('a', second), service('b', second * 2)]));
	assert.equal(ticks.totals().flows, 3);
	assert.equal(ticks.totals().active, 2);
	assert.equal(ticks.busiest(), 'b');
	assert.equal(new Ticks().busiest(), null);
	assert.equal(ticks.all.at.length, 600);
	assert.equal(ticks.all.flows.at(-1), 3);
	assert.equal(ticks.followed.series.flows.at(-1), 1);
	assert.equal(ticks.sparks.get('b').length, 60);
});

test('servers of two pools with one name are two', () => {
	const ticks = new Ticks();
	ticks.apply(tick(0, [], [server('a', 1), { ...server('a', 5), pool: 'other' }]));
	assert.equal(ticks.servers.size, 2);
	assert.equal(rateOf(undefined, 'flows_total'), 0);
});

test('a merged tick is full', () => {
	const merger = new TickMerger();
	assert.equal(merger.whole(), null);
	merger.apply(tick(0, [service('a', 5), service('b', 7)], [server('x', 1)]));
	merger.apply(tick(1, [service('a', 6)], [server('x', 2, 'down')]));
	const whole = merger.whole();
	assert.equal(whole.is_full, true);
	assert.deepEqual(whole.services.map(({ flows_total }) => flows_total), [6, 7]);
	assert.equal(whole.servers[0].state, 'down');
	merger.apply(tick(2, [service('c', 1)], [], true));
	assert.deepEqual(merger.whole().services.map(({ name }) => name), ['c']);
});
