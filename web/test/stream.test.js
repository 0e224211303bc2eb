// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Hub } from '../src/stream/hub.js';
import { EventParser } from '../src/stream/parser.js';

test('messages are found however they are cut', () => {
	const text = 'retry: 2000\n\n: a comment\nevent: tick\ndata: {"a":1}\n\nevent: change\r\nid: 7\r\ndata: one\r\ndata:two\r\n\r\n' +
		'event: nothing\n\ndata: last\n\n';
	for (const size of [1, 2, 3, 7, 1000]) {
		const got = [];
		const parser = new EventParser((message) => got.push(message));
		for (let at = 0; at < text.length; at += size)
			parser.push(text.slice(at, at + size));
		assert.deepEqual(got, [{ event: 'tick', id: null, data: '{"a":1}' }, { event: 'change', id: '7', data: 'one\ntwo' },
			{ event: 'message', id: null, data: 'last' }]);
	}
});

const tick = '{"ts":"2026-11-24T14:00:00Z","generation":1,"is_full":true,"services":[],"servers":[]}';

// A server of streams: each is a list of pieces; it hangs after the last one when `hangs`.
function serverOf(streams) {
	const asked = [];
	const ask = async (_, { headers, signal }) => {
		asked.push(headers);
		const stream = streams.shift() ?? { pieces: [], hangs: true };
		if (stream.status)
			return { status: stream.status, ok: false };
		const body = new ReadableStream({ start(controller) {
			for (const piece of stream.pieces)
				controller.enqueue(new TextEncoder().encode(piece));
			if (!stream.hangs)
				controller.close();
			signal.addEventListener('abort', () => { try { controller.error(new Error('aborted')); } catch { /* closed */ } });
		} });
		return { status: 200, ok: true, body };
	};
	return { ask, asked };
}

async function until(check) {
	for (let i = 0; i < 400 && !check(); i++)
		await new Promise((resolve) => setTimeout(resolve, 10));
	assert.ok(check(), String(check));
}

test('it connects again and says from which event on', async () => {
	const { ask, asked } = serverOf([
		{ pieces: [`event: tick\ndata: ${tick}\n\nevent: change\nid: 41\ndata: {"event":"server_down"}\n\n`] },
		{ pieces: [`event: tick\ndata: ${tick}\n\n`], hangs: true }]);
	const hub = new Hub(ask);
	const states = [];
	const listener = (message) => message.kind === 'state' && states.push(message.state.name);
	hub.join(listener);
	await until(() => states.filter((state) => state === 'live').length === 2);
	assert.deepEqual(states, ['connecting', 'live', 'lost', 'live']);
	assert.equal(asked[1]['Last-Event-ID'], '41');
	hub.leave(listener);
	await until(() => !hub.isRunning);
});

test('one stream for many, and all there is for who comes later', async () => {
	const { ask, asked } = serverOf([{ hangs: true,
		pieces: [`event: tick\ndata: ${tick}\n\nevent: change\nid: 1\ndata: {"event":"reloaded"}\n\n`] }]);
	const hub = new Hub(ask);
	const first = [];
	const second = [];
	const listeners = [first, second].map((got) => (message) => got.push(message));
	hub.join(listeners[0]);
	await until(() => first.some(({ kind }) => kind === 'tick'));
	hub.join(listeners[1]);
	assert.deepEqual(second.map(({ kind }) => kind), ['state', 'tick', 'changes']);
	assert.equal(second[2].changes[0].id, 1);
	assert.equal(asked.length, 1);
	for (const listener of listeners)
		hub.leave(listener);
	await until(() => !hub.isRunning);
});

test('without a stream the status is asked for', async () => {
	const status = { generation: 4, phase: 'running', is_degraded: false, services: [{ name: 's', flows_total: 7, refused: {} }],
		pools: [{ name: 'p', servers: [{ name: 'a', state: 'up', weight: 1 }] }] };
	let mayStream = false;
	const stream = serverOf([{ hangs: true, pieces: [`event: tick\ndata: ${tick}\n\n`] }]);
	const hub = new Hub(async (path, options) => path === '/v1/status' ? { ok: true, status: 200, json: async () => status }
		: mayStream ? stream.ask(path, options) : { ok: false, status: 503 });
	const ticks = [];
	const listener = (message) => message.kind === 'tick' && ticks.push(message.tick);
	hub.join(listener);
	await until(() => hub.state.name === 'live' && hub.state.isAsked);
	assert.equal(ticks[0].is_full, true);
	assert.deepEqual(ticks[0].servers.map(({ pool, name, state }) => [pool, name, state]), [['p', 'a', 'up']]);
	mayStream = true;
	await until(() => hub.state.isAsked === false);
	hub.leave(listener);
	await until(() => !hub.isRunning);
});

test('it waits for a token, and passes it on', async () => {
	const { ask, asked } = serverOf([{ status: 401 }, { hangs: true, pieces: [`event: tick\ndata: ${tick}\n\n`] }]);
	const hub = new Hub(ask);
	const got = [];
	const listener = (message) => got.push(message);
	hub.join(listener);
	await until(() => hub.state.name === 'unauthorized');
	hub.setToken('s3cret');
	await until(() => hub.state.name === 'live');
	assert.equal(asked[0].Authorization, undefined);
	assert.equal(asked[1].Authorization, 'Bearer s3cret');
	assert.ok(got.some(({ kind, token }) => kind === 'token' && token === 's3cret'));
	hub.leave(listener);
	await until(() => !hub.isRunning);
});

test('numbers of events that begin anew forget the old ones', () => {
	const hub = new Hub(() => new Promise(() => {}));
	for (const id of [5, 6, 7])
		hub.take({ event: 'change', id: String(id), data: '{"event":"x"}' });
	hub.take({ event: 'change', id: '1', data: '{"event":"started"}' });
	assert.deepEqual(hub.changes.map(({ id }) => id), [1]);
	assert.equal(hub.lastId, '1');
});
