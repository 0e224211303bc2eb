// SPDX-License-Identifier: Apache-2.0
// One event stream of strait for any number of listeners (tabs). It lives in a SharedWorker, or in the tab where there is
// none. Where strait does not stream (it serves only so many), it is asked for its status instead. Listeners are told { kind: 'state' | 'tick' | 'changes' | 'token', ... }; one that comes later is first told all
// there is. The token stays in memory.
import { TickMerger, tickOfStatus } from '../model/ticks.js';
import { EventParser } from './parser.js';

const firstWaitMs = 500;
const longestWaitMs = 4000;
const askEveryMs = 2000;
const silenceMs = 10000; // ticks come each second
const changesMax = 1000;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class Hub {
	constructor(ask = (...args) => fetch(...args)) {
		this.ask = ask;
		this.listeners = new Set();
		this.token = '';
		this.state = { name: 'connecting', since: Date.now() };
		this.isRunning = false;
		this.forget();
	}

	forget() {
		this.merger = new TickMerger();
		this.changes = [];
		this.lastId = null;
	}

	join(listener) {
		this.listeners.add(listener);
		if (this.token)
			listener({ kind: 'token', token: this.token });
		listener({ kind: 'state', state: this.state });
		if (this.merger.head)
			listener({ kind: 'tick', tick: this.merger.whole() });
		listener({ kind: 'changes', changes: this.changes });
		this.run();
	}

	leave(listener) {
		this.listeners.delete(listener);
		if (this.listeners.size === 0)
			this.abort?.abort();
	}

	setToken(token) {
		this.token = token;
		this.tell({ kind: 'token', token });
		this.again();
	}

	// Somebody does not want to wait for the next attempt.
	again() {
		this.wake?.();
		this.abort?.abort();
		this.run();
	}

	tell(message) {
		for (const listener of this.listeners)
			listener(message);
	}

	setState(name, more = {}) {
		this.state = { name, since: Date.now(), ...more };
		this.tell({ kind: 'state', state: this.state });
	}

	async run() {
		if (this.isRunning)
			return;
		this.isRunning = true;
		let wait = firstWaitMs;
		while (this.listeners.size > 0) {
			const outcome = await this.connect();
			if (this.listeners.size === 0)
				break;
			wait = outcome === 'read' ? firstWaitMs : Math.min(wait * 2, longestWaitMs);
			if (outcome === 'refused' && await this.askInstead())
				wait = askEveryMs;
			else if (outcome === 'unauthorized')
				this.setState(outcome);
			else
				this.setState('lost');
			const woken = new Promise((resolve) => { this.wake = resolve; });
			await (outcome === 'unauthorized' ? woken : Promise.race([sleep(wait), woken]));
		}
		this.isRunning = false;
	}

	headers(more) {
		return this.token ? { ...more, Authorization: `Bearer ${this.token}` } : more;
	}

	// Returns false when that fails, too.
	async askInstead() {
		try {
			const answer = await this.ask('/v1/status', { headers: this.headers({}), cache: 'no-store' });
			if (!answer.ok)
				return false;
			this.takeTick(tickOfStatus(await answer.json(), Date.now()), { isAsked: true });
			return true;
		} catch {
			return false;
		}
	}

	// Returns how it ended: 'read' something before, 'failed', 'unauthorized', 'refused'.
	async connect() {
		const abort = this.abort = new AbortController();
		let silence = setTimeout(() => abort.abort(), silenceMs);
		let hasRead = false;
		const headers = this.headers({ Accept: 'text/event-stream' });
		if (this.lastId !== null)
			headers['Last-Event-ID'] = this.lastId;
		try {
			const answer = await this.ask('/v1/events', { headers, signal: abort.signal, cache: 'no-store' });
			if (answer.status === 401)
				return 'unauthorized';
			if (!answer.ok)
				return 'refused';
			const parser = new EventParser((message) => this.take(message));
			const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
			for (let piece; !(piece = await reader.read()).done;) {
				clearTimeout(silence);
				silence = setTimeout(() => abort.abort(), silenceMs);
				hasRead = true;
				parser.push(piece.value);
			}
		} catch {
			/* lost: whatever the reason, the remedy is the same */
		} finally {
			clearTimeout(silence);
		}
		return hasRead ? 'read' : 'failed';
	}

	takeTick(tick, { isAsked }) {
		this.merger.apply(tick);
		this.tell({ kind: 'tick', tick });
		if (this.state.name !== 'live' || this.state.isAsked !== isAsked)
			this.setState('live', { isAsked });
	}

	take({ event, id, data }) {
		const document = JSON.parse(data);
		if (event === 'tick') {
			this.takeTick(document, { isAsked: false });
		} else if (event === 'change') {
			const change = { ...document, id: Number(id) };
			/* Numbers begin anew with a new daemon. */
			if (this.lastId !== null && change.id <= Number(this.lastId))
				this.changes = [];
			this.lastId = id;
			this.changes = [...this.changes, change].slice(-changesMax);
			this.tell({ kind: 'changes', changes: [change] });
		}
	}
}
